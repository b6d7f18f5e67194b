-- POST /logout, each session once. A thread without sessions left stops.
function prepare()
   turn = 0
end

function request()
   turn = turn + 1
   return bearer("POST", "/logout", lines[turn] or "")
end

function response(status)
   count(status)
   if turn >= #lines then
      wrk.thread:stop()
   end
end
