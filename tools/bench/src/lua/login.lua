-- POST /login, for each user in turn.
function prepare()
   cycle(function(login) return credentials("/login", login) end)
end

function response(status)
   count(status)
end
