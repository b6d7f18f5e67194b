-- POST /refresh, each time with a token that an answer before brought: as many chains as there are connections. Which
-- connection an answer came over is not told, and need not be known: with each answer one token comes back.
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
