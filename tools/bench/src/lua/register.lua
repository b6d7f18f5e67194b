-- POST /register, with a new login each time.
function prepare()
   turn = 0
end

function request()
   turn = turn + 1
   return credentials("/register", string.format("%s-%d-%d", tag, number, turn))
end

function response(status)
   count(status)
end
