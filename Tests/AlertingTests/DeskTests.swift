import Foundation
import MeteringModel
import MeteringPorts
import SQLAlerts
import Testing

@testable import Alerting

@Suite("Desk") struct DeskTests {
    @Test(
        "bad documents are refused, with the member at fault",
        arguments: [
            (#"{}"#, "kind"), (#"{"kind": "smtp"}"#, "kind"), (#"{"kind": "webhook"}"#, "url"),
            (#"{"kind": "webhook", "url": "https://bad.example/"}"#, "url"),
            (#"{"kind": "webhook", "url": "https://a/", "colour": 1}"#, "colour"),
            (#"{"kind": "webhook", "url": "https://a/", "topic": "t"}"#, "topic"),
            (#"{"kind": "webhook", "url": "https://a/", "types": "x"}"#, "types"),
            (#"{"kind": "webhook", "url": "https://a/", "types": ["a b"]}"#, "types"),
            (
                #"{"kind": "webhook", "url": "https://a/", "filter": {"level_min": "8"}}"#,
                "filter.level_min"
            ),
            (#"{"kind": "webhook", "url": "https://a/", "filter": {"plan": []}}"#, "filter.plan"),
            (#"{"kind": "webhook", "url": "https://a/", "settle_seconds": -1}"#, "settle_seconds"),
            (
                #"{"kind": "webhook", "url": "https://a/", "timeout_seconds": 31}"#,
                "timeout_seconds"
            ),
            (#"{"kind": "webhook", "url": "https://a/", "digest": 5}"#, "digest"),
            (#"{"kind": "webhook", "url": "https://a/", "digest": {"over": 0}}"#, "digest.over"),
            (#"{"kind": "webhook", "url": "https://a/", "ordered": false}"#, "ordered"),
            (
                #"{"kind": "webhook", "url": "https://a/", "headers": {"webhook-id": "1"}}"#,
                "headers.webhook-id"
            ),
            (
                #"{"kind": "webhook", "url": "https://a/", "headers": {"Authorization": "x"}}"#,
                "headers.Authorization"
            ),
            (#"{"kind": "webhook", "url": "https://a/", "headers": {"X": "a\r\nb"}}"#, "headers.X"),
            (#"{"kind": "kafka", "topic": "t"}"#, "kind"),
            (#"{"kind": "webhook", "url": "https://a/", "id": "other"}"#, "id"),
        ])
    func badDocuments(document: String, field: String) async throws {
        let scene = try Scene()
        scene.sink.refuse("https://bad.example/", "not there")
        do {
            try await scene.perform(.put("one"), document)
            Issue.record("taken: \(document)")
        } catch let problem as ControlProblem {
            #expect(problem.kind == .unprocessable)
            #expect(problem.field == field, "\(problem.detail)")
        }
    }

    @Test("make, change, list, delete; what waits is cancelled") func lifecycle() async throws {
        let scene = try Scene()
        let made = try await scene.perform(
            .create, #"{"id": "one", "kind": "webhook", "url": "https://one.example/"}"#)
        #expect(made.status == 201 && made.body["secret"]?.text?.hasPrefix("whsec_") == true)
        await #expect(throws: ControlProblem.self) {
            try await scene.perform(
                .create, #"{"id": "one", "kind": "webhook", "url": "https://one.example/"}"#)
        }
        let changed = try await scene.perform(.patch("one"), #"{"settle_seconds": 5}"#)
        #expect(changed.status == 200 && changed.body["secret"] == nil)
        #expect(changed.body["url"]?.text == "https://one.example/")
        scene.sink.script("one.example") { _, _ in FakeSink.status(500) }
        scene.feed.append(.reached, at: start, crossing("acme"))
        try await scene.settle()
        #expect(try await scene.state("one")["state"]?.text == "failing")
        #expect(try await scene.read(.endpoints)["items"]?.elements?.count == 1)
        try await scene.perform(.delete("one"))
        try await scene.run(seconds: 3_600)
        #expect(scene.sink.attemptCount == 1)
        #expect(try scene.store.delivery("one", message: crossing("acme").id)?.state == .cancelled)
        await #expect(throws: ControlProblem.self) { try await scene.state("one") }
    }

    @Test("a rotated secret signs beside the new one for a day") func rotation() async throws {
        let scene = try Scene()
        let first = try await scene.webhook("one", #""digest": false"#)
        let answer = try await scene.perform(.rotateSecret("one"), key: "k1")
        let second = try #require(answer.body["secret"]?.text)
        #expect(second != first)
        // The same key shows nothing again, and makes nothing again.
        await #expect(throws: ControlProblem.self) {
            try await scene.perform(.rotateSecret("one"), key: "k1")
        }
        scene.feed.append(.reached, at: start, crossing("a"))
        try await scene.settle()
        scene.clock.advance(seconds: 86_401)
        scene.feed.append(.reached, at: scene.clock.now, crossing("b"))
        try await scene.settle()
        let signatures = scene.sink.received.map { received in
            received.headers.first { $0.name == "webhook-signature" }?.value ?? ""
        }
        #expect(signatures.map { $0.split(separator: " ").count } == [2, 1])
        for (index, received) in scene.sink.received.enumerated() {
            let timestamp =
                received.headers.first { $0.name == "webhook-timestamp" }?.value ?? ""
            let content = Array("\(received.id).\(timestamp).\(received.body)".utf8)
            func signature(_ secret: String) -> String {
                let key = Data(base64Encoded: String(secret.dropFirst(6))) ?? Data()
                let code = Digest256.authenticationCode(key: Array(key), content)
                return "v1," + Data(code).base64EncodedString()
            }
            let expected = [signature(second)] + (index == 0 ? [signature(first)] : [])
            #expect(signatures[index] == expected.joined(separator: " "))
        }
        // Neither the log of records nor the answers that are kept hold a secret.
        #expect(!scene.records.writtenText.contains("whsec_"))
    }

    @Test("a range is sent again in order, under the same ids; once per idempotency key")
    func resendRange() async throws {
        let scene = try Scene()
        try await scene.webhook("one", #""digest": false, "filter": {"features": ["tokens"]}"#)
        for number in 0..<10 {
            scene.feed.append(
                .reached, at: scene.clock.now,
                crossing("c\(number)", feature: number == 5 ? "calls" : "tokens"))
            scene.clock.advance(seconds: 60)
            try await scene.settle()
        }
        let (from, to) = (start.adding(seconds: 120), start.adding(seconds: 420))
        let range = "{\"from\": \"\(from.rfc3339())\", \"to\": \"\(to.rfc3339())\"}"
        let rehearsed = try await scene.perform(.resendRange("one"), range, dryRun: true)
        #expect(rehearsed.body["queued"]?.integer == 4)
        let answer = try await scene.perform(.resendRange("one"), range, key: "k")
        #expect(answer.body["queued"]?.integer == 4)
        try await scene.settle()
        let expected = [2, 3, 4, 6].map { crossing("c\($0)").id }
        #expect(Array(scene.sink.attempts("one.example").suffix(4)) == expected)
        scene.clock.advance(seconds: 60)
        let again = try await scene.perform(.resendRange("one"), range, key: "k")
        #expect(again.body["queued"]?.integer == 0)
        await #expect(throws: ControlProblem.self) {
            try await scene.perform(
                .resendRange("one"),
                "{\"from\": \"\(to.rfc3339())\", \"to\": \"\(from.rfc3339())\"}")
        }
    }

    @Test("a test message is tried once, outside the line, and its fate is told")
    func testSend() async throws {
        let scene = try Scene()
        try await scene.webhook("one")
        let good = try await scene.perform(.test("one"))
        #expect(good.body["delivered"]?.flag == true)
        scene.sink.script("one.example") { _, _ in FakeSink.status(401, body: "who are you") }
        let bad = try await scene.perform(.test("one"))
        #expect(bad.body["delivered"]?.flag == false)
        #expect(bad.body["detail"]?.text == "answered 401: who are you")
        #expect(try scene.store.lines().isEmpty)
    }

    @Test("the delivery log, by state and by pages") func log() async throws {
        let scene = try Scene()
        try await scene.webhook("one", #""digest": false"#)
        for number in 0..<5 { scene.feed.append(.reached, at: start, crossing("c\(number)")) }
        try await scene.settle()
        let first = try await scene.read(.deliveries("one", state: nil), limit: 3)
        #expect(first["items"]?.elements?.count == 3)
        #expect(first["items"]?.elements?.first?["message"]?.text == crossing("c4").id)
        let next = try #require(first["next"]?.text)
        let second = try await scene.read(
            .deliveries("one", state: .delivered), cursor: next, limit: 3)
        #expect(second["items"]?.elements?.count == 2)
        #expect(second["next"] == .null)
        let none = try await scene.read(.deliveries("one", state: .failed))
        #expect(none["items"]?.elements?.isEmpty == true)
        await #expect(throws: ControlProblem.self) {
            try await scene.read(.deliveries("one", state: nil), cursor: "x")
        }
    }

    @Test("a hidden address stays when its document is put back as it was shown")
    func hiddenAddress() async throws {
        let scene = try Scene()
        try await scene.perform(
            .put("ops"),
            #"{"kind": "slack", "url": "https://hooks.slack.com/services/T0/B0/s3cret"}"#)
        let shown = try await scene.read(.endpoint("ops"))
        #expect(shown["url"]?.text == "https://hooks.slack.com/…")
        #expect(shown["url_reference"] == nil)
        try await scene.perform(
            .put("ops"), #"{"kind": "slack", "url": "https://hooks.slack.com/…", "name": "Ops"}"#)
        scene.feed.append(.reached, at: start, crossing("acme"))
        try await scene.settle()
        #expect(scene.sink.received("hooks.slack.com").count == 1)
        // Not in the place of another kind's address, which is no secret and is sent to as it is.
        scene.sink.refuse("https://hooks.slack.com/…", "visible ASCII characters only")
        await #expect(throws: ControlProblem.self) {
            try await scene.perform(.patch("ops"), #"{"kind": "webhook"}"#)
        }
    }
}
