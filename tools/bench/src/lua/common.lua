-- Shared by all scripts: assigns replicas and input lines to threads, and prints the report at the
-- end. Each run writes these variables before this line: input, replicas, threads, connections (of
-- each thread), password, tag.

local started = {}

-- Runs in the main state, once for each thread.
function setup(thread)
   local replica = replicas[#started % #replicas + 1]
   thread.addr = wrk.lookup(replica.host, replica.port)[1]
   thread:set("number", #started)
   table.insert(started, thread)
end

-- Runs in the state of each thread.
function init(args)
   statuses = {}
   lines = {}
   local position = 0
   for line in io.lines(input) do
      if position % threads == number then
         table.insert(lines, line)
      end
      position = position + 1
   end
   prepare()
end

function count(status)
   statuses[status] = (statuses[status] or 0) + 1
end

-- Builds one request for each line and sends them in turn.
function cycle(of_line)
   local requests, turn = {}, 0
   for _, line in ipairs(lines) do
      table.insert(requests, of_line(line))
   end
   request = function()
      turn = turn % #requests + 1
      return requests[turn]
   end
end

function bearer(method, path, token)
   return wrk.format(method, path, { ["Authorization"] = "Bearer " .. token })
end

function credentials(path, login)
   local body = string.format('{"login":"%s","password":"%s"}', login, password)
   return wrk.format("POST", path, { ["Content-Type"] = "application/json" }, body)
end

-- Runs in the main state at the end, and prints the report as one line of JSON.
function done(summary, latency, requests)
   local sums = {}
   for _, thread in ipairs(started) do
      for status, times in pairs(thread:get("statuses")) do
         sums[status] = (sums[status] or 0) + times
      end
   end
   local by_status = {}
   for status, times in pairs(sums) do
      table.insert(by_status, string.format('"%d":%d', status, times))
   end
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests":%d,"seconds":%.6f,"p50_ms":%.4f,"p99_ms":%.4f,"p999_ms":%.4f,'
         .. '"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d},"statuses":{%s}}\n',
      summary.requests, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3,
      errors.connect, errors.read, errors.write, errors.timeout, errors.status,
      table.concat(by_status, ",")))
end
