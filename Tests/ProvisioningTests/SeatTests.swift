import Entitlements
import MeteringModel
import MeteringPorts
import Provisioning
import SQLCatalog
import Testing

@Suite("Seats")
struct SeatTests {
    @Test func neverMoreThanWereBought() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme", plan: "pro")
        let results = await withTaskGroup(of: String.self) { group in
            for number in 0..<20 {
                group.addTask {
                    let problem = await Self.outcome {
                        try await plane.perform(
                            .assignSeat("acme", "seats"), #"{"holder": "u\#(number)"}"#)
                    }
                    return problem ?? "assigned"
                }
            }
            return await group.reduce(into: [String: Int]()) { $0[$1, default: 0] += 1 }
        }
        #expect(results == ["assigned": 5, "seats_exhausted": 15])
        #expect(plane.engine.seats.seatsTaken("acme", "seats", at: plane.now) == 5)
    }

    private static func outcome(_ body: () async throws -> ControlAnswer) async -> String? {
        do {
            _ = try await body()
            return nil
        } catch let problem as ControlProblem {
            return problem.code
        } catch {
            return "\(error)"
        }
    }

    @Test func assigningAgainIsTheSameSeat() async throws {
        var plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        let first = try await plane.perform(.assignSeat("acme", "seats"), #"{"holder": "u1"}"#)
        #expect(first.status == 201)
        plane.advance(seconds: 60)
        let second = try await plane.perform(.assignSeat("acme", "seats"), #"{"holder": "u1"}"#)
        #expect(second.body["assigned_at"] == first.body["assigned_at"])
        #expect(second.body["change"]?["changed"]?.integer == 0)
        plane = try await plane.reopened()
        #expect(plane.engine.seats.seatsTaken("acme", "seats", at: plane.now) == 1)
        let gone = try await plane.perform(.releaseSeat("acme", "seats", "u1"))
        #expect(gone.body["status"]?.text == "released")
        #expect(plane.engine.seats.seatsTaken("acme", "seats", at: plane.now) == 0)
        // Undoing the release gives the seat back.
        let request = try #require(gone.body["change"]?["request_id"]?.text)
        try await plane.perform(.undo(request))
        #expect(plane.engine.seats.seatsTaken("acme", "seats", at: plane.now) == 1)
    }

    @Test func assignmentsSurviveADowngrade() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme", plan: "pro")
        for number in 1...5 {
            try await plane.perform(.assignSeat("acme", "seats"), #"{"holder": "u\#(number)"}"#)
            plane.advance(seconds: 1)
        }
        try await plane.perform(.patch(.subscription, "acme:suite"), #"{"plan": "basic"}"#)
        let list = try await plane.read(.seats("acme", "seats"))
        #expect(list.body["used"]?.integer == 5)
        #expect(list.body["limit"]?.integer == 2)
        #expect(list.body["over_limit"]?.integer == 3)
        let above = (list.body["items"]?.elements ?? []).filter { $0["over_limit"] == .bool(true) }
        #expect(above.compactMap { $0["holder"]?.text } == ["u3", "u4", "u5"])
        let more = await plane.problem(.assignSeat("acme", "seats"), #"{"holder": "u6"}"#)
        #expect(more?.code == "seats_exhausted")
        let page = try await plane.read(.seats("acme", "seats"), limit: 2)
        let next = try await plane.read(
            .seats("acme", "seats"), cursor: page.body["next"]?.text, limit: 3)
        #expect(next.body["items"]?.elements?.first?["holder"]?.text == "u3")
        #expect(next.body["next"] == .null)
    }

    @Test func aSilentSessionFreesItsSeat() async throws {
        var plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme", plan: "pro")
        for holder in ["a", "b"] {
            try await plane.perform(.assignSeat("acme", "live"), #"{"holder": "\#(holder)"}"#)
        }
        let full = await plane.problem(.assignSeat("acme", "live"), #"{"holder": "c"}"#)
        #expect(full?.code == "seats_exhausted")
        plane.advance(seconds: 50)
        try await plane.perform(.renewSeat("acme", "live", "a"))
        plane.advance(seconds: 50)
        // Sessions outlive a restart.
        plane = try await plane.reopened()
        #expect(plane.engine.seats.seatsTaken("acme", "live", at: plane.now) == 1)
        try await plane.perform(.assignSeat("acme", "live"), #"{"holder": "c"}"#)
        let late = await plane.problem(.renewSeat("acme", "live", "b"))
        #expect(late?.code == "seats_exhausted")
        try await plane.perform(.releaseSeat("acme", "live", "a"))
        #expect(try await plane.perform(.renewSeat("acme", "live", "b")).status == 201)
        let list = try await plane.read(.seats("acme", "live"))
        #expect(list.body["mode"]?.text == "concurrent")
        #expect(list.body["used"]?.integer == 2)
    }

    @Test func thoseBelowShareThePool() async throws {
        let plane = try await Harness.open()
        try await plane.makeCatalog()
        try await plane.makeCustomer("acme")
        for child in ["x", "y"] {
            try await plane.perform(.create(.customer), #"{"id": "\#(child)", "parent": "acme"}"#)
        }
        try await plane.perform(.assignSeat("x", "seats"), #"{"holder": "u1"}"#)
        try await plane.perform(.assignSeat("y", "seats"), #"{"holder": "u2"}"#)
        let full = await plane.problem(.assignSeat("x", "seats"), #"{"holder": "u3"}"#)
        #expect(full?.code == "seats_exhausted")
        #expect(plane.engine.seats.seatsTaken("acme", "seats", at: plane.now) == 2)
    }
}
