-- GET /users?q=..., by an administrator, for each prefix of a login in turn.
function prepare()
   cycle(function(line)
      local token, login = line:match("(%S+) (%S+)")
      return bearer("GET", "/users?limit=20&q=" .. login, token)
   end)
end

function response(status)
   count(status)
end
