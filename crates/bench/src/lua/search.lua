-- GET /users?q=..., each time another beginning of a login, by an administrator.
function prepare()
   local token = table.remove(lines, 1)
   go_round(function(login) return bearer("GET", "/users?limit=20&q=" .. login, token) end)
end

function response(status)
   count(status)
end
