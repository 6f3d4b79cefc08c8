import RedisClient
import Testing

@Suite struct RedisConnectionTests {
    @Test func `returns one reply per command, of every kind`() async throws {
        let server = try await RedisServerProcess()
        let connection = try RedisConnection(server.configuration)
        let binary: [UInt8] = [0, 13, 10, 255, 36]
        var set = RedisCommand("SET", "k")
        set.append(binary)
        let replies = try await connection.send([
            set, RedisCommand("GET", "k"), RedisCommand("GET", "absent"),
            RedisCommand("INCRBY", "n", "9223372036854775807"), RedisCommand("NONSENSE"),
            RedisCommand("EVAL", "return {1, {'a', {}}, false}", "0"),
            RedisCommand("EVAL", "return ''", "0"),
        ])
        #expect(replies[0].text == "OK")
        #expect(replies[1] == .string(binary))
        #expect(replies[2] == .null)
        #expect(replies[3] == .integer(.max))
        #expect(replies[4].errorText?.hasPrefix("ERR unknown command") == true)
        #expect(
            replies[5] == .array([.integer(1), .array([.string([97]), .array([])]), .null]))
        #expect(replies[6] == .string([]))
        await connection.close()
    }

    @Test func `keeps answers with their askers under concurrency`() async throws {
        let server = try await RedisServerProcess()
        let connection = try RedisConnection(server.configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for caller in 0..<200 {
                group.addTask {
                    for turn in 0..<20 {
                        let text = "\(caller)-\(turn)"
                        let replies = try await connection.send([
                            RedisCommand("ECHO", text), RedisCommand("ECHO", "b" + text),
                        ])
                        #expect(replies.map(\.text) == [text, "b" + text])
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(connection.statistics.commands == 200 * 20 * 2)
        await connection.close()
    }

    @Test func `carries values larger than every buffer`() async throws {
        let server = try await RedisServerProcess()
        let connection = try RedisConnection(server.configuration)
        let large = [UInt8](repeating: 7, count: 3 << 20)
        var commands: [RedisCommand] = []
        for index in 0..<5 {
            var command = RedisCommand("SET", "large\(index)")
            command.append(large)
            commands.append(command)
            commands.append(RedisCommand("GET", "large\(index)"))
        }
        let replies = try await connection.send(commands)
        #expect(replies.count == 10)
        #expect(replies[9] == .string(large))
        await connection.close()
    }

    @Test func `logs in and selects the database`() async throws {
        let server = try await RedisServerProcess(["--requirepass", "p@ss w"])
        var configuration = server.configuration
        configuration.url.password = RedisSecret("p@ss w")
        configuration.url.database = 5
        let connection = try RedisConnection(configuration)
        _ = try await connection.send([RedisCommand("SET", "here", "1")])
        let keyspace = try await connection.send([RedisCommand("INFO", "keyspace")])[0].text
        #expect(keyspace?.contains("db5:keys=1") == true)
        await connection.close()
    }

    @Test func `says that the server refuses, without the password`() async throws {
        let server = try await RedisServerProcess(["--requirepass", "right"])
        var configuration = server.configuration
        for password in ["wrong-hush", nil] {
            configuration.url.password = password.map { RedisSecret($0) }
            let connection = try RedisConnection(configuration)
            let error = await #expect(throws: RedisError.self) {
                try await connection.send([RedisCommand("PING")])
            }
            #expect(error?.code == .refused)
            #expect(error?.isOutcomeUnknown == false)
            #expect(error?.message.contains("hush") == false)
            #expect(!connection.isConnected)
            await connection.close()
        }
    }

    @Test func `fails what was under way when the server is killed, then reconnects`()
        async throws
    {
        let server = try await RedisServerProcess()
        let connection = try RedisConnection(server.configuration)
        _ = try await connection.send([RedisCommand("PING")])
        server.suspend()
        let underWay = (0..<5).map { _ in
            Task { try await connection.send([RedisCommand("INCR", "n")]) }
        }
        // All of them have been handed to the kernel before the server dies.
        while connection.statistics.commands < 6 { await Task.yield() }
        server.killServer()
        for task in underWay {
            let result = await task.result
            #expect(throws: RedisError.self) { try result.get() }
            if case .failure(let error as RedisError) = result {
                #expect(error.code == .unreachable)
                #expect(error.isOutcomeUnknown)
            }
        }
        let refusal = await #expect(throws: RedisError.self) {
            while true { _ = try await connection.send([RedisCommand("PING")]) }
        }
        #expect(refusal?.code == .unreachable)
        #expect(refusal?.isOutcomeUnknown == false)

        try await server.start()
        try await eventually { try await connection.send([RedisCommand("PING")]) }
        #expect(connection.statistics.connects >= 2)
        await connection.close()
    }

    @Test func `gives up a connection whose reply is overdue`() async throws {
        let server = try await RedisServerProcess()
        let connection = try RedisConnection(server.configuration)
        _ = try await connection.send([RedisCommand("PING")])
        server.suspend()
        let patient = Task { try await connection.send([RedisCommand("INCR", "n")]) }
        while connection.statistics.commands < 2 { await Task.yield() }
        let error = await #expect(throws: RedisError.self) {
            try await connection.exchange(
                [RedisCommand("INCR", "n")], timeout: .milliseconds(100))
        }
        #expect(error?.code == .timeout)
        #expect(error?.isOutcomeUnknown == true)
        // Its neighbour is lost with the connection, long before its own deadline.
        let neighbour = await #expect(throws: RedisError.self) { try await patient.value }
        #expect(neighbour?.code == .unreachable)
        #expect(neighbour?.isOutcomeUnknown == true)
        server.resume()
        try await eventually { try await connection.send([RedisCommand("PING")]) }
        await connection.close()
    }

    @Test func `sends nothing on another connection than asked for`() async throws {
        let server = try await RedisServerProcess()
        let connection = try RedisConnection(server.configuration)
        let first = try await connection.exchange([RedisCommand("CLIENT", "ID")])
        _ = try? await connection.send([RedisCommand("CLIENT", "KILL", "SKIPME", "no")])
        try await eventually { try await connection.send([RedisCommand("PING")]) }
        let error = await #expect(throws: RedisError.self) {
            try await connection.exchange([RedisCommand("SET", "k", "v")], on: first.session)
        }
        #expect(error?.code == .sessionChanged)
        #expect(error?.isOutcomeUnknown == false)
        #expect(try await connection.send([RedisCommand("EXISTS", "k")]) == [.integer(0)])
        await connection.close()
    }

    @Test func `refuses more than its bounds`() async throws {
        let server = try await RedisServerProcess()
        var configuration = server.configuration
        configuration.maximumCommands = 10
        configuration.maximumBytes = 1_000
        let connection = try RedisConnection(configuration)
        for commands in [
            [RedisCommand](repeating: RedisCommand("PING"), count: 11),
            [RedisCommand("ECHO", String(repeating: "x", count: 1_000))],
        ] {
            let error = await #expect(throws: RedisError.self) {
                try await connection.send(commands)
            }
            #expect(error?.code == .overloaded)
        }
        // Refusals take no room.
        for _ in 0..<20 { _ = try await connection.send([RedisCommand("PING")]) }
        await connection.close()
    }

    @Test func `answers everybody when it is closed`() async throws {
        let server = try await RedisServerProcess()
        let connection = try RedisConnection(server.configuration)
        _ = try await connection.send([RedisCommand("PING")])
        server.suspend()
        let underWay = Task { try await connection.send([RedisCommand("PING")]) }
        while connection.statistics.commands < 2 { await Task.yield() }
        await connection.close()
        let error = await #expect(throws: RedisError.self) { try await underWay.value }
        #expect(error?.code == .closed)
        #expect(error?.isOutcomeUnknown == true)
        let late = await #expect(throws: RedisError.self) {
            try await connection.send([RedisCommand("PING")])
        }
        #expect(late?.code == .closed)
        #expect(late?.isOutcomeUnknown == false)
        await connection.close()
        server.resume()
    }

    @Test func `refuses arrays nested too deep as a protocol error`() async throws {
        let server = try await RedisServerProcess()
        let connection = try RedisConnection(server.configuration)
        let nested = String(repeating: "{", count: 12) + String(repeating: "}", count: 12)
        let error = await #expect(throws: RedisError.self) {
            try await connection.send([RedisCommand("EVAL", "return " + nested, "0")])
        }
        #expect(error?.code == .protocolError)
        try await eventually { try await connection.send([RedisCommand("PING")]) }
        await connection.close()
    }
}

/// Repeats until it no longer throws; bounded, for what a server does in its own time.
@discardableResult
func eventually<Value>(_ body: () async throws -> Value) async throws -> Value {
    for _ in 0..<1_000 {
        if let value = try? await body() { return value }
        try await Task.sleep(for: .milliseconds(10))
    }
    return try await body()
}
