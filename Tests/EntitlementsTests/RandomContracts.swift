import Entitlements
import MeteringModel

/// SplitMix64: the same numbers for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

/// Contracts of the shop's plans in which anything may overlap, end, start anew and be withheld.
struct RandomContracts {
    var random: SeededGenerator
    /// Off: nothing that could make a limit unlimited.
    var allowsUnlimited = true

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    mutating func chance(_ percent: Int) -> Bool { number(1...100) <= percent }
    mutating func pick<Value>(_ values: [Value]) -> Value { values[number(0...(values.count - 1))] }
    mutating func instant() -> Timestamp { day(Int64(number(0...60))) }
    mutating func end(after start: Timestamp) -> Timestamp? {
        chance(50) ? start.adding(seconds: Int64(number(0...40)) * 86_400) : nil
    }
    mutating func limit() -> Limit {
        allowsUnlimited && chance(15) ? .unlimited : .finite(Int64(number(0...500)))
    }

    /// A record that changed up to twice and may have been deleted.
    mutating func dated<Terms>(
        _ make: (inout RandomContracts) -> Terms
    ) -> Dated<Terms> {
        var steps = [Dated<Terms>.Step(from: .distantPast, value: make(&self))]
        var at = day(0)
        while chance(30), steps.count < 4 {
            at = at.adding(seconds: Int64(number(1...30)) * 86_400)
            steps.append(.init(from: at, value: chance(25) ? nil : make(&self)))
        }
        return Dated(steps: steps)
    }

    mutating func records<Terms>(
        _ prefix: String, upTo count: Int, _ make: (inout RandomContracts) -> Terms
    ) -> [CustomerContract.Held<Terms>] {
        (0..<number(0...count)).map { .init(id: "\(prefix)_\($0)", terms: dated(make)) }
    }

    mutating func subscriptions() -> [CustomerContract.Held<SubscriptionTerms>] {
        let plans: [[PlanKey]] = [
            allowsUnlimited ? ["free", "pro", "max"] : ["free", "pro"], ["crm_basic"],
            ["mail_day"],
        ]
        // One of each product at most, so that none overlap.
        return plans.indices.compactMap { product in
            if chance(30) { return nil }
            return .init(
                id: "sub_\(product)", terms: dated { $0.subscription(plans[product]) })
        }
    }

    private mutating func subscription(_ plans: [PlanKey]) -> SubscriptionTerms {
        let start = instant()
        var terms = SubscriptionTerms(plan: pick(plans), start: start, end: end(after: start))
        if terms.plan == "crm_basic" { terms.planVersion = number(0...2) }
        if chance(25) {
            terms.trialEnd = start.adding(seconds: 86_400 * 7)
            terms.trialConverts = chance(50)
        }
        if chance(30) { terms.anchor = instant() }
        while chance(35), terms.addOns.count < 3 {
            let from = instant()
            terms.addOns.append(
                .init(
                    key: pick(["pack", "team"]), quantity: Int64(number(1...3)),
                    start: chance(50) ? from : nil, end: end(after: max(from, start))))
        }
        if chance(30) { terms.seats["seats"] = limit() }
        return terms
    }

    mutating func override() -> OverrideTerms {
        let start = instant()
        let values: (FeatureKey, OverrideTerms.Value) = pick([
            ("sso", .boolean(chance(50))), ("export", .boolean(chance(50))),
            ("region", .value("ch")), ("seats", .seats(limit())),
            ("tokens", .metered(change())), ("bytes", .metered(change())),
        ])
        return OverrideTerms(
            feature: values.0, value: values.1, start: start, end: end(after: start),
            priority: number(0...2), reason: "random")
    }

    private mutating func change() -> OverrideTerms.MeteredChange {
        OverrideTerms.MeteredChange(
            limit: chance(60) ? limit() : nil, period: chance(20) ? pick([.day, .month]) : nil,
            anchor: chance(20) ? pick([.calendar, .subscription]) : nil,
            enforcement: chance(20) ? .soft : nil, overageMax: chance(10) ? 7 : nil)
    }

    mutating func contract(
        _ id: CustomerID, profile: Dated<CustomerProfile> = Dated(CustomerProfile())
    ) -> CustomerContract {
        CustomerContract(
            id: id, profile: profile, subscriptions: subscriptions(),
            overrides: records("ov", upTo: 3) { $0.override() },
            grants: records("gr", upTo: 2) { maker in
                let start = maker.instant()
                return GrantTerms(
                    feature: maker.pick(["tokens", "bytes"]), amount: Int64(maker.number(0...50)),
                    priority: maker.number(0...1), start: start, expires: maker.end(after: start),
                    reason: "random")
            },
            suspensions: chance(70)
                ? []
                : records("su", upTo: 2) { maker in
                    let start = maker.instant()
                    return SuspensionTerms(
                        product: maker.pick([nil, "crm", .default]), start: start,
                        end: maker.end(after: start), reason: "random")
                },
            revocations: chance(70)
                ? []
                : records("rv", upTo: 2) { maker in
                    let start = maker.instant()
                    return RevocationTerms(
                        product: maker.pick(["crm", .default, "mail"]), start: start,
                        end: maker.end(after: start), reason: "random")
                })
    }
}

/// Everything that an effective state says, in words.
func text(_ state: EffectiveState) -> String {
    var lines = [
        "\(state.plan?.rawValue ?? "-") v\(state.planVersion) \(state.absence) "
            + "\(state.absenceSources) \(state.parent?.rawValue ?? "-") \(state.inherits)"
    ]
    for entitlement in state.entitlements {
        var value = "\(entitlement.value)"
        if case .metered = entitlement.value { value = "metered" }
        lines.append(
            "\(entitlement.feature) \(value) \(entitlement.denial?.rawValue ?? "-") "
                + "\(entitlement.sources) \(entitlement.product) "
                + "\(String(describing: entitlement.binding)) "
                + "\(String(describing: state.quota(entitlement.feature)))")
    }
    return lines.joined(separator: "\n")
}
