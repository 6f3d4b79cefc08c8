import Foundation
import HTTPAPI
import MeteringPorts
import Synchronization
import Testing

@Suite struct ConnectionTests {
    private static let check = Harness.request(
        "POST", "/v1/check", #"{"customer":"acme","feature":"tokens"}"#)

    @Test func unknownPathsAndMethods() async throws {
        try await Harness.run { server in
            let nowhere = try await server.send("GET", "/v2/check")
            #expect(nowhere.status == 404 && nowhere.code == "no_route")
            let wrong = try await server.send("DELETE", "/v1/check")
            #expect(wrong.status == 405 && wrong.headers["allow"] == "GET, HEAD, POST")
            let post = try await server.send("POST", "/v1/near-limit", "{}")
            #expect(post.status == 405 && post.headers["allow"] == "GET, HEAD")
            let odd = try await server.send("BREW", "/v1/events")
            #expect(odd.status == 405 || odd.status == 400)
        }
    }

    @Test func headHasNoBody() async throws {
        try await Harness.run { server in
            try await server.connect { wire in
                try await wire.send(Harness.request("HEAD", "/v1/near-limit"))
                let reply = try await wire.reply(toHead: true)
                #expect(reply.status == 200 && reply.headers["content-length"] != "0")
                // The next answer starts right behind the head.
                try await wire.send(Self.check)
                #expect(try await wire.reply().status == 200)
            }
        }
    }

    @Test func pipelinedAnswersKeepTheirOrder() async throws {
        try await Harness.run { server in
            try await server.connect { wire in
                let slow = Harness.request(
                    "POST", "/v1/consume", #"{"customer":"acme","feature":"slow"}"#)
                var burst = slow
                for index in 0..<20 {
                    burst += Harness.request(
                        "POST", "/v1/check", #"{"customer":"acme","feature":"f\#(index)"}"#)
                }
                burst += Harness.request("GET", "/nowhere")
                try await wire.send(burst)
                while server.gate.latch.waitingCount == 0 { await Task.yield() }
                server.gate.latch.open()
                #expect(try await wire.reply().json["feature"] as? String == "slow")
                for index in 0..<20 {
                    #expect(try await wire.reply().json["feature"] as? String == "f\(index)")
                }
                #expect(try await wire.reply().status == 404)
            }
        }
    }

    @Test func bytesMayComeOneByOne() async throws {
        try await Harness.run { server in
            try await server.connect { wire in
                for byte in Self.check.utf8 { try await wire.send([byte]) }
                #expect(try await wire.reply().status == 200)
                let chunked =
                    "POST /v1/check HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "a\r\n{\"feature\"\r\n18\r\n:\"tokens\",\"customer\":\"a\"\r\n1\r\n}\r\n"
                    + "0\r\n\r\n"
                for byte in chunked.utf8 { try await wire.send([byte]) }
                let reply = try await wire.reply()
                #expect(reply.status == 200, "\(reply.body)")
            }
        }
    }

    @Test func clientsThatLeaveDoNoHarm() async throws {
        try await Harness.run { server in
            for cut in [5, 40, Self.check.utf8.count - 3] {
                try await server.connect { wire in
                    try await wire.send(Array(Self.check.utf8.prefix(cut)))
                }
            }
            // One that leaves while its answer is being made.
            try await server.connect { wire in
                try await wire.send(
                    Harness.request(
                        "POST", "/v1/consume", #"{"customer":"acme","feature":"slow"}"#))
                while server.gate.latch.waitingCount == 0 { await Task.yield() }
            }
            server.gate.latch.open()
            try await server.connect { wire in
                try await wire.send(Self.check)
                #expect(try await wire.reply().status == 200)
            }
        }
    }

    @Test func halfClosedClientsGetTheirAnswer() async throws {
        try await Harness.run { server in
            try await server.connect { wire in
                try await wire.send(
                    Harness.request(
                        "POST", "/v1/consume", #"{"customer":"acme","feature":"tokens"}"#))
                try await wire.finishSending()
                #expect(try await wire.reply().status == 200)
                #expect(await wire.isEnded())
            }
        }
    }

    /// More than socket buffers hold, so that most of it is still unsent when the client half-closes.
    @Test func largeAnswersArriveWhole() async throws {
        try await Harness.run { server in
            let yaml = "#" + String(repeating: "x", count: 5_000_000)
            _ = try await server.send("POST", "/v1/catalog", yaml)
            for isHalfClosed in [false, true] {
                try await server.connect { wire in
                    try await wire.send(
                        Harness.request("GET", "/v1/catalog", headers: [("Connection", "close")]))
                    if isHalfClosed { try await wire.finishSending() }
                    #expect(try await wire.reply().body.utf8.count == yaml.utf8.count)
                    #expect(await wire.isEnded())
                }
            }
        }
    }

    @Test func sizesAreBounded() async throws {
        try await Harness.run { server in
            let long = try await server.send(
                "GET", "/v1/near-limit",
                headers: [("X-Long", String(repeating: "a", count: 20_000))])
            #expect(long.status == 431)
            let target = try await server.send(
                "GET", "/v1/alerts?customer=" + String(repeating: "a", count: 20_000))
            #expect(target.status == 431)

            let body = String(repeating: " ", count: 1_048_577)
            let declared = try await server.send("POST", "/v1/check", body)
            #expect(declared.status == 413 && declared.headers["connection"] == "close")
            // Chunked: the size shows only as it comes.
            let chunk = "10000\r\n" + String(repeating: " ", count: 0x10000) + "\r\n"
            let reply = try await server.connect { wire in
                try await wire.send(
                    "POST /v1/check HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
                for _ in 0..<17 { try? await wire.send(chunk) }
                return try await wire.reply()
            }
            #expect(reply.status == 413)
            let name = String(repeating: "n", count: 257)
            let named = try await server.send(
                "POST", "/v1/check", #"{"customer":"\#(name)","feature":"t"}"#)
            #expect(named.status == 400 && named.field == "customer")
        }
    }

    @Test func ambiguousMessagesAreRefused() async throws {
        try await Harness.run { server in
            let requests = [
                "POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
                    + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
                "POST /v1/check HTTP/1.1\r\nHost : a\r\nContent-Length: 2\r\n\r\n{}",
                "GET /v1/near-limit HTTP/1.1\r\n\r\n",
                "GET /v1/near-limit HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                "nonsense\r\n\r\n",
            ]
            for request in requests {
                let reply = try await server.connect { wire in
                    try await wire.send(request)
                    return try await wire.reply()
                }
                #expect(reply.status == 400, "\(request)")
                #expect(reply.headers["content-type"] == "application/problem+json")
            }
            let zipped = try await server.send(
                "POST", "/v1/check", "{}", headers: [("Content-Encoding", "gzip")])
            #expect(zipped.status == 415)
        }
    }

    @Test func expectContinue() async throws {
        try await Harness.run { server in
            let body = #"{"customer":"acme","feature":"tokens"}"#
            func head(_ length: Int, _ expect: String) -> String {
                "POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n"
                    + "Expect: \(expect)\r\n\r\n"
            }
            try await server.connect { wire in
                try await wire.send(head(body.utf8.count, "100-Continue"))
                #expect(try await wire.reply().status == 100)
                try await wire.send(body)
                #expect(try await wire.reply().status == 200)
            }
            let large = try await server.connect { wire in
                try await wire.send(head(9_000_000, "100-continue"))
                return try await wire.reply()
            }
            #expect(large.status == 413)
            let odd = try await server.connect { wire in
                try await wire.send(head(2, "a-pony"))
                return try await wire.reply()
            }
            #expect(odd.status == 417)
        }
    }

    @Test func versionsAndKeepAlive() async throws {
        try await Harness.run { server in
            let old = try await server.connect { wire in
                try await wire.send("GET /v1/near-limit HTTP/1.0\r\n\r\n")
                let reply = try await wire.reply()
                #expect(await wire.isEnded())
                return reply
            }
            #expect(old.status == 200 && old.headers["connection"] == "close")
            let kept = try await server.connect { wire in
                try await wire.send("GET /v1/near-limit HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                return try await wire.reply()
            }
            #expect(kept.headers["connection"] == "keep-alive")
            // Some clients offer h2c: they are answered in HTTP/1.1 and start anew.
            let upgrading = try await server.send(
                "GET", "/v1/near-limit",
                headers: [("Connection", "Upgrade"), ("Upgrade", "h2c")])
            #expect(upgrading.status == 200 && upgrading.headers["connection"] == "close")
        }
    }

    @Test func keysAndScopes() async throws {
        try await Harness.run { server in
            server.access.add("tg_all", scopes: [.admin])
            server.access.add("tg_check", scopes: [.check])
            let body = #"{"customer":"acme","feature":"tokens"}"#
            func send(_ key: String?, _ target: String = "/v1/check") async throws -> Reply {
                try await server.send(
                    "POST", target, body, headers: key.map { [("Authorization", $0)] } ?? [])
            }
            for key in [nil, "tg_all", "Bearer", "Bearer tg_al", "Bearer tg_alll", "Basic tg_all"] {
                let reply = try await send(key)
                #expect(reply.status == 401 && reply.headers["www-authenticate"] == "Bearer")
            }
            #expect(try await send("Bearer tg_all").status == 200)
            #expect(try await send("bearer tg_check").status == 200)
            #expect(try await send("Bearer tg_check", "/v1/catalog").status == 403)
            #expect(try await server.send("GET", "/openapi.json").status == 200)
        }
    }

    @Test func requestIdsGoThrough() async throws {
        try await Harness.run { server in
            let body = #"{"customer":"acme","feature":"tokens"}"#
            for route in ["/v1/check", "/v1/consume"] {
                let reply = try await server.send(
                    "POST", route, body, headers: [("x-request-id", "abc-1")])
                #expect(reply.headers["x-request-id"] == "abc-1")
            }
            let hostile = try await server.send(
                "GET", "/nowhere", headers: [("X-Request-Id", String(repeating: "a", count: 200))])
            #expect(hostile.headers["x-request-id"]?.count == 16)
        }
    }

    @Test func overloadIsSaidSo() async throws {
        try await Harness.run {
            $0.requestsInFlightMax = 2
        } _: { server in
            let slow = Harness.request(
                "POST", "/v1/consume", #"{"customer":"acme","feature":"slow"}"#)
            try await server.connect { wire in
                try await wire.send(slow + slow + slow)
                while server.gate.latch.waitingCount < 2 { await Task.yield() }
                let other = try await server.send("GET", "/v1/near-limit")
                #expect(other.status == 503 && other.headers["retry-after"] == "1")
                // Checks need no task, so they go on.
                let check = #"{"customer":"acme","feature":"tokens"}"#
                #expect(try await server.send("POST", "/v1/check", check).status == 200)
                server.gate.latch.open()
                var statuses: [Int] = []
                for _ in 0..<3 { statuses.append(try await wire.reply().status) }
                #expect(statuses == [200, 200, 503])
            }
        }
    }

    @Test func connectionsAreBounded() async throws {
        try await Harness.run {
            $0.connectionsMax = 1
        } _: { server in
            try await server.connect { first in
                try await first.send(Self.check)
                #expect(try await first.reply().status == 200)
                try await server.connect { second in
                    let refusal = try await second.reply()
                    #expect(refusal.status == 503)
                    #expect(await second.isEnded())
                }
                try await first.send(Self.check)
                #expect(try await first.reply().status == 200)
            }
        }
    }

    @Test func slowHeadsAndBodiesEnd() async throws {
        try await Harness.run {
            $0.headSecondsMax = 0
            $0.bodySecondsMax = 0
        } _: { server in
            try await server.connect { wire in
                try await wire.send("POST /v1/check HTTP/1.1\r\nHo")
                #expect(await wire.isEnded())
            }
            try await server.connect { wire in
                try await wire.send(
                    "POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n{")
                #expect(try await wire.reply().status == 408)
                #expect(await wire.isEnded())
            }
        }
    }

    @Test func drainFinishesWhatIsUnderWay() async throws {
        try await Harness.run { server in
            try await server.connect { busy in
                try await busy.send(
                    Harness.request(
                        "POST", "/v1/consume", #"{"customer":"acme","feature":"slow"}"#))
                while server.gate.latch.waitingCount == 0 { await Task.yield() }
                try await server.connect { idle in
                    try await idle.send(Self.check)
                    #expect(try await idle.reply().headers["connection"] == nil)
                    async let drained: Void = server.server.drain(timeout: .seconds(10))
                    #expect(await idle.isEnded())
                    let ready = try await server.send("GET", "/readyz", admin: true)
                    #expect(ready.status == 503 && ready.body.contains("draining"))
                    await #expect(throws: (any Error).self) {
                        try await server.send("GET", "/v1/near-limit")
                    }
                    server.gate.latch.open()
                    let reply = try await busy.reply()
                    #expect(reply.status == 200 && reply.headers["connection"] == "close")
                    #expect(await busy.isEnded())
                    await drained
                }
            }
        }
    }
}
