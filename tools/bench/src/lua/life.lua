-- Repeats the life of a session: login, ten times GET /me, refresh, ten times GET /me, logout. A
-- thread has one connection and therefore one session at a time.
local life = {}

function prepare()
   step, turn = 0, 0
   table.insert(life, "login")
   for _ = 1, 10 do table.insert(life, "me") end
   table.insert(life, "refresh")
   for _ = 1, 10 do table.insert(life, "me") end
   table.insert(life, "logout")
end

function request()
   local now = life[step % #life + 1]
   if now == "login" then
      return credentials("/login", lines[turn % #lines + 1])
   elseif now == "me" then
      return bearer("GET", "/me", access)
   elseif now == "refresh" then
      return bearer("POST", "/refresh", refresh)
   end
   return bearer("POST", "/logout", access)
end

function response(status, headers, body)
   count(status)
   if status > 399 then
      -- Start again with the next user.
      step, turn = 0, turn + 1
      return
   end
   access = body:match('"access_token":"([^"]+)"') or access
   refresh = body:match('"refresh_token":"([^"]+)"') or refresh
   step = step + 1
   if step % #life == 0 then
      turn = turn + 1
   end
end
