import MeteringModel
import MeteringPorts
import Testing

@testable import Alerting

@Suite("Settling") struct SettlingTests {
    @Test("a limit that flaps is not told again") func flapping() async throws {
        let scene = try Scene()
        try await scene.webhook("one")
        let subject = crossing("acme")
        scene.feed.append(.reached, at: start, subject)
        var ordinal = 1
        for _ in 0..<10 {
            for kind in [CrossingChange.Kind.resolved, .reopened] {
                ordinal += 1
                scene.clock.advance(seconds: 5)
                scene.feed.append(kind, ordinal: ordinal, at: scene.clock.now, subject)
                try await scene.settle()
            }
        }
        try await scene.run(seconds: 600)
        #expect(scene.sink.messages("one.example") == [subject.id])
        // Resolved for good: told after a minute, under an id of its own.
        scene.feed.append(.resolved, ordinal: 22, at: scene.clock.now, subject)
        try await scene.run(seconds: 59)
        #expect(scene.sink.messages("one.example") == [subject.id])
        try await scene.run(seconds: 2)
        #expect(scene.sink.messages("one.example") == [subject.id, subject.id + "-22"])
        #expect(scene.sink.received.last?.body.contains("usage.threshold.resolved") == true)
        scene.feed.append(.reopened, ordinal: 23, at: scene.clock.now, subject)
        try await scene.run(seconds: 61)
        #expect(scene.sink.messages("one.example").last == subject.id + "-23")
    }

    @Test("each endpoint settles by its own time; zero is at once") func ownTime() async throws {
        let scene = try Scene()
        try await scene.webhook("now", #""settle_seconds": 0"#)
        try await scene.webhook("hour", #""settle_seconds": 3600"#)
        let subject = crossing("acme")
        scene.feed.append(.reached, at: start, subject)
        scene.feed.append(.resolved, ordinal: 2, at: start, subject)
        try await scene.settle()
        #expect(scene.sink.messages("now.example").count == 2)
        #expect(scene.sink.messages("hour.example").count == 1)
        try await scene.run(seconds: 3_600)
        #expect(scene.sink.messages("hour.example").count == 2)
    }

    @Test("who does not take resolved messages is not told reopened ones that flapped")
    func typesAndFlapping() async throws {
        let scene = try Scene()
        try await scene.webhook("one", #""types": ["usage.threshold.warning"]"#)
        let subject = crossing("acme")
        scene.feed.append(.reached, at: start, subject)
        scene.feed.append(.resolved, ordinal: 2, at: start, subject)
        scene.feed.append(.reopened, ordinal: 3, at: start.adding(seconds: 10), subject)
        try await scene.run(seconds: 600)
        #expect(scene.sink.messages("one.example") == [subject.id])
    }

    @Test("settling survives a restart") func restart() async throws {
        let scene = try Scene()
        try await scene.webhook("one")
        let subject = crossing("acme")
        scene.feed.append(.reached, at: start, subject)
        scene.feed.append(.resolved, ordinal: 2, at: start, subject)
        try await scene.settle()
        try await scene.restart()
        try await scene.run(seconds: 61)
        #expect(scene.sink.messages("one.example") == [subject.id, subject.id + "-2"])
    }
}
