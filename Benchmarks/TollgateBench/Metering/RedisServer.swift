import Foundation

/// A Redis of our own, on loopback, without a disk.
final class RedisServer {
    let port: Int
    private let child: ChildProcess

    init() throws {
        port = try FreePort.find()
        child = try ChildProcess([
            "redis-server", "--port", "\(port)", "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--logfile", "/dev/null", "--loglevel", "warning", "--daemonize",
            "no",
        ])
        usleep(300_000)
        for _ in 0..<500 {
            if (try? command(["PING"]))?.hasPrefix("PONG") == true { return }
            usleep(10_000)
        }
        throw BenchmarkFailure("redis-server does not answer")
    }

    @discardableResult
    func command(_ words: [String]) throws -> String {
        try ChildProcess.output(["redis-cli", "-e", "-p", "\(port)"] + words)
    }

    /// Commands that clients have called since the last `CONFIG RESETSTAT`; those that scripts call
    /// inside are told apart.
    func calls() throws -> (byClients: Int, inFunctions: Int) {
        var byClients = 0
        var inFunctions = 0
        for line in try command(["INFO", "commandstats"]).split(whereSeparator: \.isNewline) {
            guard let name = line.split(separator: ":").first?.dropFirst("cmdstat_".count),
                let calls = line.firstRange(of: ":calls=").map({ line[$0.upperBound...] })?
                    .prefix(while: \.isNumber), let calls = Int(calls), !name.hasPrefix("config")
            else { continue }
            let isFromClient = [
                "fcall", "function", "info", "ping", "hello", "auth", "select",
                "client", "eval",
            ].contains { name.hasPrefix($0) }
            if isFromClient { byClients += calls } else { inFunctions += calls }
        }
        return (byClients, inFunctions)
    }
}
