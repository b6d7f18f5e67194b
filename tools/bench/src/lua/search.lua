-- GET /users?q=..., each time another beginning of a login, by an administrator.
function prepare()
   go_round(function(line)
      local token, login = line:match("(%S+) (%S+)")
      return bearer("GET", "/users?limit=20&q=" .. login, token)
   end)
end

function response(status)
   count(status)
end
