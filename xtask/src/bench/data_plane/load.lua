-- Picks requests at random out of a file: one HTTP/1.1 request after the other, each ended by a zero byte.
local requests = {}

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for request in file:read("*a"):gmatch("[^%z]+") do
    requests[#requests + 1] = request
  end
  file:close()
  math.randomseed(os.time())
end

function request()
  return requests[math.random(#requests)]
end
