import Foundation

/// The load generator: 1 thread, 32 connections, requests one after the other on each.
enum Wrk {
    struct Result {
        var requestsPerSecond: Double
        var requestCount: Int
        var median: String
        var p99: String
        /// Of the server, per request.
        var processorMicroseconds = 0.0

        var text: String {
            "\(requestsPerSecond.rate), p50 \(median), p99 \(p99), "
                + "\(processorMicroseconds.short) µs cpu"
        }

        /// The run in the middle, by requests per second.
        static func median(_ runs: [Result]) -> Result {
            runs.sorted { $0.requestsPerSecond < $1.requestsPerSecond }[runs.count / 2]
        }
    }

    static func run(core: String, seconds: Int, script: String, url: String) throws -> Result {
        let text = try ChildProcess.output([
            "taskset", "-c", core, "wrk", "-t1", "-c32", "-d\(seconds)s", "--latency", "-s",
            script, url,
        ])
        var result = Result(requestsPerSecond: 0, requestCount: 0, median: "?", p99: "?")
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "Requests/sec:": result.requestsPerSecond = Double(words.last ?? "") ?? 0
            case "50%": result.median = words.last ?? "?"
            case "99%": result.p99 = words.last ?? "?"
            case "Non-2xx", "Socket": throw BenchmarkFailure("wrk: \(line)")
            default:
                if words.count > 2, words[1] == "requests" {
                    result.requestCount = Int(words[0]) ?? 0
                }
            }
        }
        guard result.requestCount > 0 else { throw BenchmarkFailure("wrk says: \(text)") }
        return result
    }
}
