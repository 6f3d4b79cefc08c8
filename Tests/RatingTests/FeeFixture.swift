import MeteringModel
import Rating
import Testing

/// Plans, add-ons and one customer with one subscription, to be bent by tests.
struct FeeFixture {
    var plans: [PlanDefinition] = []
    var addOnFees: [AddOnKey: Dated<AddOnFee>] = [:]
    var addOnProducts: [AddOnKey: ProductKey] = [:]
    var zone = TimeZoneRules.utc
    var contract = CustomerContract(id: "acme", profile: Dated(CustomerProfile()))

    /// Plan `pro` v1 at 49.00 a cycle with seats at 10.00, from 1 November 2026 on.
    init(_ edit: (inout SubscriptionTerms) throws -> Void = { _ in }) throws {
        plans = [try Self.plan("pro", fee: "49", seat: "10")]
        addOnFees["backup"] = Dated(try Self.addOn("20"))
        var terms = SubscriptionTerms(
            plan: "pro", planVersion: 1, start: try day("2026-11-01"),
            seats: ["editor": .finite(0)])
        try edit(&terms)
        contract.subscriptions = [.init(id: "sub_1", terms: Dated(terms))]
    }

    static func plan(
        _ key: PlanKey, version: Int = 1, fee: String?, seat: String? = nil,
        currency code: String = "EUR", product: ProductKey = .default,
        _ edit: (inout RecurringPrice) -> Void = { _ in }
    ) throws -> PlanDefinition {
        func price(_ amount: String) throws -> RecurringPrice {
            var price = RecurringPrice(amount: try decimal(amount))
            edit(&price)
            return price
        }
        let seats = try seat.map {
            EntitlementDefinition.seats(SeatEntitlement(seats: .finite(1), price: try price($0)))
        }
        return PlanDefinition(
            key: key, version: version, product: product,
            entitlements: seats.map { ["editor": $0] } ?? [:],
            currency: try currency(code), fee: try fee.map { try price($0) })
    }

    static func addOn(_ amount: String) throws -> AddOnFee {
        AddOnFee(
            currency: try currency("EUR"), fee: RecurringPrice(amount: try decimal(amount)))
    }

    /// From an instant on the subscription is another one.
    mutating func from(
        _ instant: Timestamp, _ edit: (inout SubscriptionTerms) throws -> Void
    ) throws {
        var terms = try #require(contract.subscriptions[0].terms.steps.last?.value)
        try edit(&terms)
        contract.subscriptions[0].terms.steps.append(.init(from: instant, value: terms))
    }

    var account: FeeAccount {
        let plans = plans
        return FeeAccount(
            contract: contract, zone: zone,
            plan: { key, version in plans.first { $0.key == key && $0.version == version } },
            addOnFees: addOnFees, addOnProducts: addOnProducts)
    }

    func lines(from: Timestamp, to: Timestamp) throws -> [RatedLine] {
        try FeeRating.lines(account, dueIn: Period(start: from, end: to))
    }

    /// What falls due in November 2026.
    func november() throws -> [RatedLine] {
        try lines(from: day("2026-11-01"), to: day("2026-12-01"))
    }
}
