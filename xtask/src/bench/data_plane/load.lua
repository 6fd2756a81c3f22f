-- Takes requests out of a file, one HTTP/1.1 request after the other, each ended by a zero byte: at random, or in turn from a
-- place on that the second argument tells.
local requests = {}
local place

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for request in file:read("*a"):gmatch("[^%z]+") do
    requests[#requests + 1] = request
  end
  file:close()
  math.randomseed(os.time())
  place = tonumber(args[2])
end

function request()
  if place then
    place = place % #requests + 1
    return requests[place]
  end
  return requests[math.random(#requests)]
end
