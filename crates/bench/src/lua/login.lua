-- POST /login, each time as the next user.
function prepare()
   requests, turn = {}, 0
   for _, login in ipairs(lines) do
      table.insert(requests, credentials("/login", login))
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function response(status)
   count(status)
end
