import MeteringPorts
import NIOHTTP1
import Testing

@testable import OutboundHTTP

@Suite("Sender") struct SenderTests {
    /// Runs `body` with a sender that may reach loopback, and ends it.
    private static func run(
        _ allowed: [String] = ["127.0.0.0/8"], _ body: (HTTPSender) async throws -> Void
    ) async throws {
        var options = HTTPSender.Options()
        options.rules = AddressRules(allowing: try allowed.map { try .init($0) })
        let sender = try HTTPSender(options)
        do {
            try await body(sender)
        } catch {
            await sender.close()
            throw error
        }
        await sender.close()
    }

    private static func failure(
        _ sender: HTTPSender, _ request: OutboundRequest
    ) async -> OutboundFailure? {
        do throws(OutboundFailure) {
            _ = try await sender.send(request)
            return nil
        } catch {
            return error
        }
    }

    @Test("a request arrives as it is, and connections are kept") func plain() async throws {
        let server = try await LocalServer.start { _ in
            .answer(202, headers: [("Retry-After", "7")], body: "taken")
        }
        try await Self.run { sender in
            for number in 1...3 {
                let response = try await sender.send(
                    OutboundRequest(
                        url: "http://127.0.0.1:\(server.port)/in?x=1",
                        headers: [OutboundHeader("webhook-id", "m\(number)")],
                        body: Array("{\"n\":\(number)}".utf8)))
                #expect(response.status == 202 && !response.isCut)
                #expect(response.header("retry-after") == "7")
                #expect(String(decoding: response.body, as: UTF8.self) == "taken")
            }
        }
        let seen = server.seen
        #expect(seen.map(\.body) == ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"])
        #expect(seen.map { $0.head.headers["webhook-id"] } == [["m1"], ["m2"], ["m3"]])
        #expect(seen[0].head.uri == "/in?x=1" && seen[0].head.method == .POST)
        #expect(seen[0].head.headers["user-agent"] == ["tollgate"])
        #expect(Set(seen.map(\.connection)) == [1])
        try await server.stop()
    }

    @Test("private addresses are refused, as written and as resolved") func refusals() async throws
    {
        let server = try await LocalServer.start { _ in .answer(200) }
        try await Self.run([]) { sender in
            for host in ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]"] {
                let url = "https://\(host):8443/"
                let found = await Self.failure(sender, OutboundRequest(url: url))
                #expect(found?.code == .refused, "\(host): \(String(describing: found))")
                #expect(found?.mayHaveArrived == false)
            }
            #expect(sender.problem(with: "https://169.254.169.254/") != nil)
            #expect(sender.problem(with: "https://hooks.example.com/") == nil)
        }
        // Another network is allowed, not the one that the name leads to.
        try await Self.run(["10.0.0.0/8"]) { sender in
            let url = "http://localhost:\(server.port)/"
            #expect(await Self.failure(sender, OutboundRequest(url: url))?.code == .refused)
        }
        // Allowed by name.
        try await Self.run(["localhost"]) { sender in
            let url = "http://localhost:\(server.port)/"
            let response = try await sender.send(OutboundRequest(url: url))
            #expect(response.status == 200)
        }
        #expect(server.seen.count == 1)
        try await server.stop()
    }

    @Test("redirects are answers, and are not followed") func redirect() async throws {
        let server = try await LocalServer.start { head in
            head.uri == "/in"
                ? .answer(302, headers: [("Location", "/elsewhere")]) : .answer(200)
        }
        try await Self.run { sender in
            let response = try await sender.send(
                OutboundRequest(url: "http://127.0.0.1:\(server.port)/in"))
            #expect(response.status == 302)
        }
        #expect(server.seen.count == 1)
        try await server.stop()
    }

    @Test("of a gigabyte, 64 kB are read") func flood() async throws {
        let server = try await LocalServer.start { _ in .flood(1 << 30) }
        try await Self.run { sender in
            let response = try await sender.send(
                OutboundRequest(url: "http://127.0.0.1:\(server.port)/"))
            #expect(response.status == 200 && response.isCut)
            #expect(response.body.count == 65_536)
        }
        try await server.stop()
    }

    @Test("silence and dripping end with the time; the next request is fine") func slow()
        async throws
    {
        let server = try await LocalServer.start { head in
            switch head.uri {
            case "/silence": .silence
            case "/drip": .drip
            default: .answer(200)
            }
        }
        try await Self.run { sender in
            for path in ["silence", "drip"] {
                let request = OutboundRequest(
                    url: "http://127.0.0.1:\(server.port)/\(path)", timeoutSeconds: 1)
                let found = await Self.failure(sender, request)
                #expect(found?.code == .timeout, "\(path)")
                #expect(found?.mayHaveArrived == true)
            }
            let response = try await sender.send(
                OutboundRequest(url: "http://127.0.0.1:\(server.port)/"))
            #expect(response.status == 200)
        }
        try await server.stop()
    }

    @Test("a connection that breaks, a port nobody listens on, a name without address, no TLS")
    func broken() async throws {
        let server = try await LocalServer.start { _ in .close }
        let url = "http://127.0.0.1:\(server.port)/secret-path?token=s3cret"
        try await Self.run(["127.0.0.0/8", "nowhere.invalid"]) { sender in
            let closed = await Self.failure(sender, OutboundRequest(url: url))
            #expect(closed?.code == .broken && closed?.mayHaveArrived == true)
            let unresolved = await Self.failure(
                sender, OutboundRequest(url: "https://nowhere.invalid/"))
            #expect(unresolved?.code == .unresolved)
            let plain = await Self.failure(
                sender, OutboundRequest(url: "https://127.0.0.1:\(server.port)/s3cret"))
            #expect(plain?.code == .tls || plain?.code == .broken)
            try await server.stop()
            let refused = await Self.failure(sender, OutboundRequest(url: url))
            #expect(refused?.code == .unreachable && refused?.mayHaveArrived == false)
            for failure in [closed, unresolved, plain, refused] {
                #expect(failure?.message.contains("s3cret") == false)
            }
        }
    }

    @Test("after closing, requests fail as closed") func closed() async throws {
        let sender = try HTTPSender(HTTPSender.Options())
        await sender.close()
        let found = await Self.failure(sender, OutboundRequest(url: "https://8.8.8.8/"))
        #expect(found?.code == .closed)
    }
}
