import MeteringModel
import MeteringPorts
import Synchronization

/// Remembers what it was asked, and answers with documents of the right form.
final class FakeBilling: BillingDesk {
    let commands = Mutex<[BillingCommand]>([])
    let queries = Mutex<[BillingQuery]>([])
    let failure = Mutex<ControlProblem?>(nil)

    private static let money = JSONValue.object([
        "currency": .string("EUR"), "amount": .string("12.30"), "amount_minor": .integer(1_230),
    ])
    private static let statement: [String: JSONValue] = [
        "customer": .string("acme"), "month": .string("2026-10"), "state": .string("closed"),
        "time_zone": .string("UTC"), "totals": .array([money]), "line_count": .integer(1),
        "sequence": .integer(7),
    ]
    private static let line = JSONValue.object([
        "id": .string("li_1"), "kind": .string("usage"), "quantity": .string("1.50"),
        "included_quantity": .integer(3), "amount": .string("12.30"),
        "amount_minor": .integer(1_230), "currency": .string("EUR"),
        "usage": .object([
            "before": .integer(0), "after": .integer(9), "limit": .string("unlimited"),
        ]),
    ])

    func perform(_ command: BillingCommand) async throws(ControlProblem) -> ControlAnswer {
        commands.withLock { $0.append(command) }
        if let problem = failure.withLock({ $0 }) { throw problem }
        return ControlAnswer(
            body: .object([
                "month": .string("2026-10"), "closed": .integer(2), "closed_before": .integer(0),
            ]))
    }

    func read(_ query: BillingQuery) async throws(ControlProblem) -> ControlAnswer {
        queries.withLock { $0.append(query) }
        if let problem = failure.withLock({ $0 }) { throw problem }
        switch query.subject {
        case .statementsOf, .statements:
            return ControlAnswer(
                body: .object(["items": .array([.object(Self.statement)]), "next": .null]))
        case .statement:
            var document = Self.statement
            document["lines"] = .array([Self.line])
            return ControlAnswer(body: .object(document))
        case .events:
            return ControlAnswer(
                body: .object([
                    "line": .string("li_1"), "meter": .string("tokens"),
                    "items": .array([.object(["id": .string("e1"), "value": .integer(3)])]),
                    "next": .string("c2"),
                ]))
        case .check:
            return ControlAnswer(
                body: .object([
                    "checked": .object(["customers": .integer(1)]), "drifts": .array([]),
                    "mismatches": .array([]), "waiting": .array([]),
                ]))
        }
    }
}
