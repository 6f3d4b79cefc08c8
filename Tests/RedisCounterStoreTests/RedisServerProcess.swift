import Foundation
import Glibc
import RedisClient

/// A redis-server on a free loopback port in a directory of its own; killed at the end.
final class RedisServerProcess {
    struct Failure: Error { var reason: String }

    private(set) var port = 0
    let directory: URL
    private let arguments: [String]
    private var process = Process()

    /// Returns when the server answers.
    init(_ arguments: [String] = []) async throws {
        directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("tollgate-redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        self.arguments = arguments
        // Another process may hold the port: then the server ends, and the next one is tried.
        for _ in 0..<20 {
            port = Int.random(in: 20_000..<32_000)
            if try await launch() { return }
        }
        throw Failure(reason: "redis-server does not start; is it installed?")
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: directory)
    }

    var url: RedisURL { RedisURL(host: "127.0.0.1", port: port) }

    var configuration: RedisConnection.Configuration {
        var configuration = RedisConnection.Configuration(url: url)
        // Generous: other builds share the machine, and no test waits for it to pass.
        configuration.commandTimeout = .seconds(20)
        configuration.connectTimeout = .seconds(20)
        configuration.backoffMaximum = .milliseconds(50)
        return configuration
    }

    /// Starts the server again, after `killServer()`.
    func start() async throws {
        guard try await launch() else { throw Failure(reason: "redis-server did not restart") }
    }

    /// False when the server ended at once.
    private func launch() async throws -> Bool {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            [
                "redis-server", "--port", String(port), "--bind", "127.0.0.1", "--save", "",
                "--dir", directory.path, "--logfile", directory.appendingPathComponent("log").path,
            ] + arguments
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let connection = try RedisConnection(configuration)
        var isUp = false
        while !isUp, process.isRunning {
            do throws(RedisError) {
                let reply = try await connection.send([RedisCommand("INFO", "server")])[0]
                // Not some other server that had the port before.
                isUp = reply.text?.contains("process_id:\(process.processIdentifier)") == true
            } catch {
                // It wants a password: it is up.
                isUp = error.code == .refused && process.isRunning
            }
            if !isUp { try await Task.sleep(for: .milliseconds(10)) }
        }
        await connection.close()
        return isUp
    }

    /// As by a power cut of the process: no goodbye.
    func killServer() {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// Alive for the kernel, deaf for clients.
    func suspend() { kill(process.processIdentifier, SIGSTOP) }
    func resume() { kill(process.processIdentifier, SIGCONT) }

    /// One command on a connection of its own.
    func run(_ words: String...) async throws -> RedisValue {
        let connection = try RedisConnection(configuration)
        let reply = try await connection.send([RedisCommand(words.map { Array($0.utf8) })])[0]
        await connection.close()
        return reply
    }
}
