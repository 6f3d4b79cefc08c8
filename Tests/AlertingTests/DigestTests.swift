import MeteringModel
import MeteringPorts
import SQLAlerts
import Testing

@testable import Alerting

@Suite("Digest") struct DigestTests {
    @Test("a flood is told in digests below 20 kB, each crossing once") func flood() async throws {
        let scene = try Scene()
        try await scene.webhook("one")
        for number in 0..<400 { scene.feed.append(.reached, at: start, crossing("c\(number)")) }
        try await scene.settle()
        try await scene.run(seconds: 60)
        #expect(
            scene.sink.messages("one.example") == scene.feed.all.map { $0.crossing.crossing.id })
        #expect(scene.sink.attemptCount < 20)
        for received in scene.sink.received {
            #expect(received.body.utf8.count < 20_000)
            #expect(!received.id.contains("."))
            let body = try JSONParser.parse(Array(received.body.utf8))
            #expect(body["type"]?.text == "alerts.digest")
            let members = body["data"]?["messages"]?.elements
            #expect(body["data"]?["count"]?.integer == members.map { Int64($0.count) })
        }
    }

    @Test("up to the bound, each goes by itself") func below() async throws {
        let scene = try Scene()
        try await scene.webhook("one")
        for number in 0..<50 { scene.feed.append(.reached, at: start, crossing("c\(number)")) }
        try await scene.settle()
        #expect(
            scene.sink.attempts("one.example") == scene.feed.all.map { $0.crossing.crossing.id })
    }

    @Test("a digest that failed is repeated as it was, though more waits by then")
    func repeated() async throws {
        let scene = try Scene()
        try await scene.webhook("one", #""digest": {"over": 2}"#)
        scene.sink.script("one.example") { _, number in
            number == 1 ? FakeSink.dropped : FakeSink.ok
        }
        for number in 0..<5 { scene.feed.append(.reached, at: start, crossing("c\(number)")) }
        try await scene.settle()
        for number in 5..<9 { scene.feed.append(.reached, at: start, crossing("c\(number)")) }
        try await scene.restart()
        try await scene.run(seconds: 60)
        let received = scene.sink.received
        #expect(received.count == 3)
        #expect(received[0].id == received[1].id && received[0].body == received[1].body)
        #expect(scene.sink.messages("one.example").count == 9)
        let log = try await scene.read(.delivery("one", message: crossing("c3").id))
        #expect(log["attempts_log"]?.elements?.count == 2)
        #expect(log["digest"]?.text == received[0].id)
    }

    @Test("every_seconds gathers what comes meanwhile") func interval() async throws {
        let scene = try Scene()
        try await scene.webhook("one", #""digest": {"every_seconds": 300}"#)
        for number in 0..<30 {
            scene.feed.append(.reached, at: scene.clock.now, crossing("c\(number)"))
            try await scene.settle()
            scene.clock.advance(seconds: 10)
        }
        try await scene.run(seconds: 600)
        #expect(scene.sink.messages("one.example").count == 30)
        #expect(scene.sink.attemptCount == 2)
    }

    @Test("Slack: text and blocks, one post a second, its words understood") func slack()
        async throws
    {
        let scene = try Scene()
        try await scene.perform(
            .put("ops"),
            #"{"kind": "slack", "url": "https://hooks.slack.com/services/T0/B0/s3cret"}"#)
        scene.feed.append(.reached, at: start, crossing("a&b"))
        try await scene.settle()
        for number in 0..<60 { scene.feed.append(.reached, at: start, crossing("<c\(number)>")) }
        try await scene.settle()
        #expect(scene.sink.attemptCount == 1)
        scene.clock.advance(seconds: 1)
        try await scene.settle()
        #expect(scene.sink.attemptCount == 2)
        try await scene.run(seconds: 10)
        #expect(scene.sink.attemptCount == 3)
        let posts = try scene.sink.received.map { try JSONParser.parse(Array($0.body.utf8)) }
        #expect(posts[0]["text"]?.text?.contains("a&amp;b") == true)
        #expect(posts[1]["text"]?.text == "40 alerts")
        for post in posts {
            let blocks = try #require(post["blocks"]?.elements)
            #expect(blocks.count <= 50)
            for block in blocks {
                let text = try #require(block["text"]?["text"]?.text)
                #expect(text.count <= 3_000 && !text.contains("<c"))
            }
        }
        // The address is a secret: nowhere in what the log keeps.
        #expect(!scene.records.writtenText.contains("s3cret"))
        #expect(scene.records.writtenText.contains("https://hooks.slack.com/…"))
        // Something on the way that repeats the address in its answer: not in the delivery log.
        scene.sink.script("hooks.slack.com") { _, number in
            number == 4
                ? FakeSink.status(502, body: "cannot reach /services/T0/B0/s3cret")
                : FakeSink.status(404, body: "channel_is_archived")
        }
        scene.feed.append(.reached, at: start, crossing("z"))
        try await scene.run(seconds: 86_400)
        let state = try await scene.state("ops")
        #expect(state["state"]?.text == "disabled")
        #expect(state["disabled_reason"]?.text?.contains("archived") == true)
        let attempts = try scene.store.attempts("ops", message: crossing("z").id, limit: 10)
        #expect(attempts.contains { $0.detail == "answered 502" })
        #expect(attempts.contains { $0.detail.hasPrefix("channel_is_archived: ") })
    }

    @Test("Slack: a line that is too long is cut, and no entity torn") func slackCut() throws {
        for length in 950..<1_000 {
            let name = String(repeating: "x", count: length) + String(repeating: "&", count: 30)
            let message = AlertMessage(
                id: "m", type: "alerts.test", customer: CustomerID(name), at: start, body: "{}")
            let post = try JSONParser.parse(SlackTransport.body([message]))
            let text = try #require(post["text"]?.text)
            #expect(text.count <= 1_000)
            #expect(!text.replacing("&amp;", with: "").contains("&"))
        }
    }
}
