-- POST /logout, once for each session. A thread stops while it still has a session for each of its
-- connections, because each may send one more request.
function prepare()
   turn = 0
end

function request()
   turn = turn + 1
   return bearer("POST", "/logout", lines[turn] or "")
end

function response(status)
   count(status)
   if turn + connections > #lines then
      wrk.thread:stop()
   end
end
