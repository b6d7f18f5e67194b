-- POST /login, each time as the next user.
function prepare()
   go_round(function(login) return credentials("/login", login) end)
end

function response(status)
   count(status)
end
