import MeteringModel
import MeteringPorts
import Synchronization

/// Answers every question with one signal, and remembers what it was asked.
final class FakeSignals: SignalDesk {
    let queries = Mutex<[SignalQuery]>([])
    let commands = Mutex<[SignalCommand]>([])
    let refreshed = Mutex<[CustomerID?]>([])

    static let signal = JSONValue.object([
        "id": .string("near-limit-1"), "kind": .string("near_limit"), "customer": .string("acme"),
        "feature": .string("tokens"), "severity": .string("high"), "score": .integer(80),
        "since": .string("2026-11-17T00:00:00Z"), "reason": .string("acme has used …"),
        "numbers": .object(["used": .integer(900)]), "time_zone": .string("UTC"),
        "periods": .array([
            .object([
                "start": .string("2026-11-01T00:00:00Z"), "end": .string("2026-12-01T00:00:00Z"),
                "used": .integer(900), "limit": .integer(1_000),
            ])
        ]),
        "links": .object([:]), "state": .string("open"), "is_assigned": .bool(false),
    ])

    func list(_ query: SignalQuery) async throws(ControlProblem) -> ControlAnswer {
        queries.withLock { $0.append(query) }
        return ControlAnswer(
            body: .object([
                "items": .array([Self.signal]), "next": .null, "is_complete": .bool(true),
                "computed_at": .string("2026-11-21T10:00:00Z"),
            ]))
    }

    func signal(
        _ id: String, _ principal: Principal
    ) async throws(ControlProblem) -> ControlAnswer {
        if id == "gone" { throw ControlProblem(.notFound, "unknown_signal", "there is none") }
        return ControlAnswer(body: Self.signal)
    }

    func act(_ command: SignalCommand) async throws(ControlProblem) -> ControlAnswer {
        commands.withLock { $0.append(command) }
        return ControlAnswer(body: Self.signal)
    }

    func refresh(
        _ customer: CustomerID?, _ principal: Principal
    ) async throws(ControlProblem) -> ControlAnswer {
        refreshed.withLock { $0.append(customer) }
        return ControlAnswer(body: .object(["signals": .integer(1), "waiting": .integer(0)]))
    }
}

/// Answers with one customer; refuses a draft that is called bad.
final class FakeSimulation: PlanSimulating {
    let queries = Mutex<[SimulationQuery]>([])

    func simulate(
        _ draft: String, _ query: SimulationQuery
    ) async throws(SimulationFailure) -> ControlAnswer {
        if draft == "bad" {
            throw .draft(CatalogProblems([.init(line: 3, column: 7, message: "no such plan")]))
        }
        queries.withLock { $0.append(query) }
        let side = JSONValue.object([
            "usage": .string("1.00"), "fees": .string("2.00"), "total": .string("3.00"),
        ])
        let none = JSONValue.object(["live": .array([]), "draft": .array([])])
        return ControlAnswer(
            body: .object([
                "from": .string(query.window.start.rfc3339()),
                "to": .string(query.window.end.rfc3339()), "next": .null, "done": .integer(1),
                "total": .integer(1), "notes": .array([]),
                "items": .array([
                    .object([
                        "customer": .string("acme"), "time_zone": .string("UTC"),
                        "revenue": .array([
                            .object([
                                "currency": .string("EUR"), "live": side, "draft": side,
                                "difference": .string("0.00"),
                            ])
                        ]), "warned": none, "stopped": none, "notes": .array([]),
                    ])
                ]),
            ]))
    }
}
