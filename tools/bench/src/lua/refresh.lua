-- POST /refresh, with tokens from earlier responses, in as many chains as there are connections.
-- wrk does not report the connection of a response, but each response returns one token, so none is
-- missing.
function prepare()
   tokens = lines
end

function request()
   return bearer("POST", "/refresh", table.remove(tokens) or "none-is-left")
end

function response(status, headers, body)
   count(status)
   if status == 200 then
      table.insert(tokens, 1, body:match('"refresh_token":"([^"]+)"'))
   end
end
