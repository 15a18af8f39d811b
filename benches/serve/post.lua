-- For wrk: posts the files of a folder, one after the other. `wrk -s post.lua ADDRESS -- FOLDER PATH`
local started = 0

function setup(thread)
    thread:set("number", started)
    started = started + 1
end

function init(arguments)
    requests = {}
    local listing = io.popen('ls -- "' .. arguments[1] .. '"/*.jpg')
    for name in listing:lines() do
        local file = io.open(name, "rb")
        local headers = { ["Content-Type"] = "image/jpeg" }
        requests[#requests + 1] = wrk.format("POST", arguments[2], headers, file:read("*a"))
        file:close()
    end
    listing:close()
    at = number * 37
end

function request()
    at = at % #requests + 1
    return requests[at]
end

function done(summary, latency)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
    io.write(string.format('{"requests": %d, "seconds": %.4f, "failed": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
        summary.requests, summary.duration / 1e6, failed,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
