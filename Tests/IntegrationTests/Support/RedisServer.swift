import Foundation
import Glibc

/// A real Redis on a free port, append-only, in a folder of its own.
final class RedisServer {
    let port: Int
    private let folder: TestFolder
    private var child: ChildProcess?
    private var startCount = 0

    init() async throws {
        port = try freePort()
        folder = try TestFolder()
        try await start()
    }

    var url: String { "redis://127.0.0.1:\(port)/0" }

    func start() async throws {
        startCount += 1
        child = try ChildProcess(
            "/usr/bin/redis-server",
            [
                "--port", "\(port)", "--bind", "127.0.0.1", "--dir", folder.path, "--save", "",
                "--appendonly", "yes", "--maxmemory-policy", "noeviction",
            ], folder: folder, name: "redis-\(startCount)")
        try await eventually("PONG of redis-server") { () -> Bool? in
            if child?.hasEnded == true { throw Unmet("redis: \(child?.output.suffix(500) ?? "")") }
            let answer = try await command("PING")
            return answer.hasPrefix("PONG") ? true : nil
        }
    }

    @discardableResult
    func command(_ words: String...) async throws -> String {
        try await run(
            "/usr/bin/redis-cli", ["-p", "\(port)"] + words, folder: folder, name: "cli"
        ).output
    }

    /// Stops its clock, so to say: connections stay open and nothing is answered.
    func pause() { child?.send(SIGSTOP) }
    func resume() { child?.send(SIGCONT) }

    func killAtOnce() async throws { try await child?.killAtOnce() }
}
