-- wrk's requests: POST /emails, one recipient each out of two million, a body of 2 KB, bearer key from $POSTRIDER_API_KEY.
local text = string.rep("The quick brown fox jumps over the lazy dog, and nobody minds.\\r\\n", 32):sub(1, 2048)
text = text:gsub("\\$", "")   -- never ends inside an escape
local head = '{"from":"shop@bench.example","to":["customer'
local tail = '@bench.example"],"subject":"Your order","text":"' .. text .. '"}'

local threads = 0
function setup(thread)
  thread:set("seed", threads)
  threads = threads + 1
end

function init(args)
  math.randomseed(os.time() * 16 + seed)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. os.getenv("POSTRIDER_API_KEY")
end

function request()
  return wrk.format(nil, "/emails", nil, head .. string.format("%07d", math.random(0, 1999999)) .. tail)
end

function done(summary, latency, requests)
  io.write(string.format('RESULT {"requests":%d,"errors":%d,"microseconds":%d,"p50":%d,"p99":%d}\n',
    summary.requests,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    summary.duration, latency:percentile(50), latency:percentile(99)))
end
