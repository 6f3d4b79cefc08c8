import Foundation
import MeteringModel
import MeteringPorts
import Testing

@testable import Alerting

@Suite("Delivery") struct DeliveryTests {
    @Test("a crossing reaches every endpoint that takes it, signed, once") func signed()
        async throws
    {
        let scene = try Scene()
        let secret = try await scene.webhook("one")
        try await scene.webhook("two")
        scene.feed.append(.reached, at: start, crossing("acme"))
        try await scene.settle()
        let received = try #require(scene.sink.received("one.example").first)
        #expect(scene.sink.received.count == 2)
        #expect(received.id == crossing("acme").id)
        let body = try JSONParser.parse(Array(received.body.utf8))
        #expect(body["type"]?.text == "usage.threshold.warning")
        #expect(body["timestamp"]?.text == start.rfc3339())
        #expect(body["data"]?["customer"]?.text == "acme")
        #expect(body["data"]?["threshold"]?.text == "80%")
        let headers = Dictionary(
            received.headers.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
        let timestamp = try #require(headers["webhook-timestamp"])
        #expect(timestamp == String(start.seconds))
        let key = try #require(Data(base64Encoded: String(secret.dropFirst("whsec_".count))))
        let code = Digest256.authenticationCode(
            key: Array(key), Array("\(received.id).\(timestamp).\(received.body)".utf8))
        #expect(headers["webhook-signature"] == "v1," + Data(code).base64EncodedString())
        try await scene.run(seconds: 86_400)
        #expect(scene.sink.attemptCount == 2)
    }

    @Test("the signature of Standard Webhooks' own example") func knownAnswer() {
        // From the specification's reference libraries.
        let key = Data(base64Encoded: "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") ?? Data()
        let content = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}"
        #expect(
            EndpointSecrets.signature(Array(content.utf8), Array(key), FakeVault())
                == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test("filters: plans, features, customers, owners, level, types") func filters() async throws {
        let scene = try Scene()
        try await scene.webhook("all")
        try await scene.webhook("plan", #""filter": {"plans": ["free"]}"#)
        try await scene.webhook("feature", #""filter": {"features": ["tokens"]}"#)
        try await scene.webhook("customer", #""filter": {"customers": ["acme"]}"#)
        try await scene.webhook("owner", #""filter": {"owners": ["bob"]}"#)
        try await scene.webhook("level", #""filter": {"level_min": "99.5%"}"#)
        try await scene.webhook("type", #""types": ["quota.exhausted"]"#)
        try await scene.webhook("prefix", #""types": ["usage.*"]"#)
        try await scene.webhook("off", #""enabled": false"#)
        let eighty = crossing("acme")
        let full = crossing("globex", feature: "calls", basisPoints: 10_000)
        scene.feed.append(.reached, at: start, eighty)
        scene.feed.append(.reached, at: start, full)
        try await scene.settle()
        func got(_ id: String) -> [String] { scene.sink.messages("\(id).example") }
        #expect(got("all") == [eighty.id, full.id])
        #expect(got("plan") == [])
        #expect(got("feature") == [eighty.id])
        #expect(got("customer") == [eighty.id])
        #expect(got("owner") == [full.id])
        #expect(got("level") == [full.id])
        #expect(got("type") == [full.id])
        #expect(got("prefix") == [eighty.id])
        #expect(got("off") == [])
    }

    @Test("notifications of other services go the same way, once by id") func outbox() async throws
    {
        let scene = try Scene()
        try await scene.webhook("one", #""types": ["usage.anomaly"]"#)
        let note = Notification(
            id: "anomaly_1", type: "usage.anomaly", customer: "acme", at: start,
            data: .object(["text": .string("twice the usual")]))
        try scene.parts.outbox.publish([note])
        try scene.parts.outbox.publish([note])
        try await scene.run(seconds: 600)
        #expect(scene.sink.attempts("one.example") == ["anomaly_1"])
        // Too large for one message: told all the same, without the data.
        let large = Notification(
            id: "anomaly_2", type: "usage.anomaly", at: start,
            data: .string(String(repeating: "x", count: 30_000)))
        try scene.parts.outbox.publish([large])
        try await scene.settle()
        let body = try #require(scene.sink.received.last?.body)
        #expect(body.utf8.count < 20_000 && body.contains("left_out"))
    }

    @Test("an endpoint that hangs holds up nobody else") func hanging() async throws {
        let scene = try Scene()
        try await scene.webhook("dead")
        try await scene.webhook("live")
        // Answers only when it is given up.
        scene.sink.script("dead.example") { _, _ in
            try? await Task.sleep(for: .seconds(3_600))
            return FakeSink.dropped
        }
        for number in 0..<20 {
            scene.feed.append(.reached, at: start, crossing("c\(number)"))
        }
        try await scene.parts.dispatcher.step()
        while scene.sink.received("live.example").count < 20 { await Task.yield() }
        #expect(scene.sink.attempts("dead.example").count == 1)
        // The request is given up with the process, and counts as none.
        try await scene.restart()
        scene.sink.script("dead.example") { _, _ in FakeSink.ok }
        try await scene.run(seconds: 60)
        #expect(
            scene.sink.messages("dead.example").count == 20)
    }

    @Test("one endpoint, one request at a time") func oneInFlight() async throws {
        let scene = try Scene()
        try await scene.webhook("one", #""digest": false"#)
        let gauge = InFlight()
        scene.sink.script("one.example") { _, _ in
            await gauge.enter()
            for _ in 0..<20 { await Task.yield() }
            await gauge.leave()
            return FakeSink.ok
        }
        for number in 0..<50 { scene.feed.append(.reached, at: start, crossing("c\(number)")) }
        for _ in 0..<10 { try await scene.parts.dispatcher.step() }
        try await scene.settle()
        #expect(await gauge.most == 1)
        #expect(
            scene.sink.messages("one.example") == scene.feed.all.map { $0.crossing.crossing.id })
    }
}

private actor InFlight {
    private var count = 0
    private(set) var most = 0
    func enter() {
        count += 1
        most = max(most, count)
    }
    func leave() { count -= 1 }
}
