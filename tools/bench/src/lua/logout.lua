-- POST /logout, each session once. A thread stops before its last sessions are gone: when it decides to, each of its other
-- connections may still be about to send.
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
