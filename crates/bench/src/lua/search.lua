-- GET /users?q=..., each time another beginning of a login, by an administrator.
function prepare()
   requests, turn = {}, 0
   local token = table.remove(lines, 1)
   for _, login in ipairs(lines) do
      table.insert(requests, bearer("GET", "/users?limit=20&q=" .. login, token))
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function response(status)
   count(status)
end
