-- POST /refresh, each time with the token that the answer before brought: a chain for each thread, which has one connection.
function prepare()
   token = lines[1]
end

function request()
   return bearer("POST", "/refresh", token)
end

function response(status, headers, body)
   count(status)
   if status == 200 then
      token = body:match('"refresh_token":"([^"]+)"')
   end
end
