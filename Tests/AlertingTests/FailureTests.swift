import Foundation
import MeteringModel
import MeteringPorts
import SQLAlerts
import Testing

@testable import Alerting

@Suite("Failures") struct FailureTests {
    @Test("the schedule holds all of Standard Webhooks' instants, and ends with them")
    func schedule() {
        let steps: [Int64] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
        var planned: [Int64] = []
        for step in steps { planned.append((planned.last ?? 0) + step) }
        var attempts: [Int64] = []
        var now = start
        while let next = RetrySchedule.next(
            now: now, failingSince: start, isThrottled: false, retryAfter: nil, jitter: 0)
        {
            let elapsed = now.seconds - start.seconds
            #expect(next.seconds - now.seconds <= max(5, elapsed / 8))
            now = next
            attempts.append(now.seconds - start.seconds)
        }
        #expect(Set(attempts).isSuperset(of: planned))
        #expect(attempts.last == planned.last)
        #expect(attempts.count < 100)
    }

    @Test("a throttled endpoint is left alone as long as it asks, within bounds")
    func retryAfter() async throws {
        let scene = try Scene()
        try await scene.webhook("one")
        scene.sink.script("one.example") { _, number in
            switch number {
            case 1: FakeSink.status(429, [OutboundHeader("Retry-After", "120")])
            case 2: FakeSink.status(503, [OutboundHeader("retry-after", "999999")])
            case 3: FakeSink.status(502)
            default: FakeSink.ok
            }
        }
        try await scene.webhook("brief")
        scene.sink.script("brief.example") { _, number in
            number == 1 ? FakeSink.status(429, [OutboundHeader("Retry-After", "1")]) : FakeSink.ok
        }
        scene.feed.append(.reached, at: start, crossing("acme"))
        func due() throws -> Int64? {
            try scene.store.state(of: "one").nextAttemptAt.map {
                $0.seconds - scene.clock.now.seconds
            }
        }
        try await scene.settle()
        #expect(try due() == 120)
        // Who asks for a moment gets no more than the schedule's.
        let brief = try scene.store.state(of: "brief").nextAttemptAt
        #expect(brief?.seconds == scene.clock.now.seconds + 5)
        scene.clock.advance(seconds: 120)
        try await scene.settle()
        #expect(try due() == 3_600)
        scene.clock.advance(seconds: 3_600)
        try await scene.settle()
        #expect(try (due() ?? 0) >= 30)
        try await scene.run(seconds: 86_400)
        #expect(scene.sink.messages("one.example").count == 1)
        #expect(scene.sink.messages("brief.example").count == 1)
    }

    @Test("Retry-After as an instant") func retryAfterDate() {
        let now = Timestamp(rfc3339: "1994-11-06T08:49:07Z") ?? start
        #expect(AnswerReading.seconds("Sun, 06 Nov 1994 08:49:37 GMT", now) == 30)
        #expect(AnswerReading.seconds("soon", now) == nil)
        #expect(AnswerReading.seconds("-5", now) == 0)
    }

    @Test("410 disables; what waits goes out in order once it is enabled") func gone() async throws
    {
        let scene = try Scene()
        try await scene.webhook("one", #""digest": false"#)
        scene.sink.script("one.example") { _, number in
            number == 1 ? FakeSink.status(410) : FakeSink.ok
        }
        for number in 0..<3 { scene.feed.append(.reached, at: start, crossing("c\(number)")) }
        try await scene.run(seconds: 7 * 86_400)
        #expect(scene.sink.attemptCount == 1)
        let state = try await scene.state("one")
        #expect(state["state"]?.text == "disabled")
        #expect(state["waiting"]?.integer == 3)
        #expect(state["disabled_reason"]?.text?.contains("410") == true)
        try await scene.perform(.enable("one"))
        try await scene.settle()
        #expect(
            scene.sink.messages("one.example") == scene.feed.all.map { $0.crossing.crossing.id })
        #expect(try await scene.state("one")["state"]?.text == "ok")
    }

    @Test("redirects are failures, and name no success") func redirect() async throws {
        let scene = try Scene()
        try await scene.webhook("one")
        scene.sink.script("one.example") { _, _ in
            FakeSink.status(302, [OutboundHeader("Location", "http://169.254.169.254/")])
        }
        scene.feed.append(.reached, at: start, crossing("acme"))
        try await scene.settle()
        let log = try await scene.read(.delivery("one", message: crossing("acme").id))
        #expect(log["state"]?.text == "waiting")
        #expect(log["last_status"]?.integer == 302)
        #expect(log["last_detail"]?.text?.contains("redirect") == true)
    }

    @Test("a foreign answer reaches the log printable and short") func foreignText() async throws {
        let scene = try Scene()
        try await scene.webhook("one")
        scene.sink.script("one.example") { _, _ in
            FakeSink.status(500, body: "\u{1B}[31m<script>" + String(repeating: "é", count: 9_000))
        }
        scene.feed.append(.reached, at: start, crossing("acme"))
        try await scene.settle()
        let log = try await scene.read(.delivery("one", message: crossing("acme").id))
        let detail = try #require(log["last_detail"]?.text)
        #expect(detail.utf8.count <= 220 && detail.utf8.allSatisfy { (0x20...0x7E).contains($0) })
    }

    @Test("a message that an endpoint cannot take is given up; the line goes on")
    func poison() async throws {
        let scene = try Scene()
        try await scene.webhook("one", #""digest": false"#)
        let bad = crossing("bad").id
        scene.sink.script("one.example") { request, _ in
            request.headers.contains { $0.value == bad } ? FakeSink.status(400) : FakeSink.ok
        }
        scene.feed.append(.reached, at: start, crossing("bad"))
        scene.feed.append(.reached, at: start, crossing("good"))
        try await scene.run(seconds: 3 * 86_400)
        #expect(scene.sink.messages("one.example") == [])
        try await scene.run(seconds: 86_400)
        #expect(scene.sink.messages("one.example") == [crossing("good").id])
        #expect(try scene.store.delivery("one", message: bad)?.state == .failed)
        // Mended on the other side, it can be sent again.
        scene.sink.script("one.example") { _, _ in FakeSink.ok }
        try await scene.perform(.resend("one", message: bad))
        try await scene.settle()
        #expect(scene.sink.messages("one.example") == [crossing("good").id, bad])
    }

    @Test("an endpoint that takes nothing for three days is disabled, and keeps its line")
    func dead() async throws {
        let scene = try Scene()
        try await scene.webhook("one", #""digest": false"#)
        scene.sink.script("one.example") { _, _ in FakeSink.status(500) }
        for number in 0..<5 { scene.feed.append(.reached, at: start, crossing("c\(number)")) }
        try await scene.run(seconds: 10 * 86_400)
        let state = try await scene.state("one")
        #expect(state["state"]?.text == "disabled")
        #expect(state["waiting"]?.integer == 4)
        #expect(scene.sink.attemptCount < 100)
        scene.sink.script("one.example") { _, _ in FakeSink.ok }
        try await scene.perform(.enable("one"))
        try await scene.perform(.resend("one", message: crossing("c0").id))
        try await scene.settle()
        #expect(Set(scene.sink.messages("one.example")).count == 5)
    }

    @Test("a timeout of the request is a failure like any other") func timeout() async throws {
        let scene = try Scene()
        try await scene.webhook("slow", #""timeout_seconds": 30"#)
        try await scene.webhook("quick", #""timeout_seconds": 1"#)
        let answer: FakeSink.Script = { request, _ in
            // 200 after 29 s.
            request.timeoutSeconds >= 29
                ? FakeSink.ok : .failure(OutboundFailure(code: .timeout, message: "too late"))
        }
        scene.sink.script("slow.example", answer)
        scene.sink.script("quick.example", answer)
        scene.feed.append(.reached, at: start, crossing("acme"))
        try await scene.settle()
        #expect(scene.sink.messages("slow.example").count == 1)
        let log = try await scene.read(.delivery("quick", message: crossing("acme").id))
        #expect(log["last_detail"]?.text == "timeout: too late")
    }
}
