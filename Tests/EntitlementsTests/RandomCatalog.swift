import Entitlements
import MeteringModel

/// Catalogs, terms and records with every member, made of a seed.
struct RandomCatalog {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    // MARK: choices

    mutating func below(_ count: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state >> 33) % count
    }

    mutating func flag() -> Bool { below(2) == 0 }

    mutating func one<Value>(of values: [Value]) -> Value { values[below(values.count)] }

    mutating func maybe<Value>(_ value: Value) -> Value? { flag() ? value : nil }

    private static let words = [
        "pro", "no", "yes", "true", "null", "~", "12", "0x1", "-1", "1e3", "80%", "30s", "a: b",
        "#x", "\"q\"", "it's", "{}", "[a]", "- a", "? a", "é\u{85}\u{2028}", "🙂", "*a", "&a", "!t",
        "%d", "@x", "`", "|", ">", "a,b", " lead", "trail ", "line\nbreak", "tab\t", "2026-01-31",
        "unlimited", "\u{7F}", "Ünïcode", "$.a", "<<", "=", "", "\\n", "a\u{FEFF}bom",
    ]

    mutating func text() -> String { one(of: Self.words) + String(below(50)) }

    mutating func anyText() -> String { one(of: Self.words) }

    mutating func map() -> [String: String] {
        var map: [String: String] = [:]
        for _ in 0..<below(3) { map[text()] = anyText() }
        return map
    }

    mutating func time() -> Timestamp { Timestamp(seconds: Int64(below(4_000_000_000))) }

    mutating func after(_ start: Timestamp) -> Timestamp? {
        maybe(start.adding(seconds: Int64(below(100_000_000))))
    }

    mutating func units() -> Int64 { one(of: [0, 1, 99, 100, 12_345, .max]) }

    mutating func limit() -> Limit { below(4) == 0 ? .unlimited : .finite(units()) }

    // MARK: entitlements

    mutating func threshold() -> Threshold {
        flag() ? .absolute(units()) : .share(basisPoints: one(of: [0, 5, 50, 8_000, 12_345]))
    }

    mutating func policy() -> OutagePolicy {
        one(of: [.closed, .open, .lastKnown(maxAgeSeconds: 90), .allowance(units())])
    }

    mutating func grace() -> Grace? {
        one(of: [
            nil, Grace(units: units()), Grace(days: below(30)),
            Grace(units: units(), days: below(30)),
        ])
    }

    mutating func metered() -> MeteredEntitlement {
        MeteredEntitlement(
            limit: limit(), period: one(of: PeriodUnit.allCases),
            anchor: one(of: MeteredEntitlement.Anchor.allCases),
            thresholds: (0..<below(3)).map { _ in threshold() },
            enforcement: one(of: EnforcementMode.allCases), onOutage: policy(),
            durability: one(of: AdmissionDurability.allCases), grace: grace(),
            overageMax: maybe(units()), price: flag() ? usagePrice() : nil)
    }

    mutating func seats() -> SeatEntitlement {
        SeatEntitlement(
            seats: limit(), mode: one(of: SeatEntitlement.Mode.allCases),
            heartbeatSeconds: one(of: [300, 5, 86_400]),
            price: flag() ? recurringPrice(included: Int64(below(3))) : nil)
    }

    mutating func binding() -> Binding? {
        let binding = Binding(
            domains: (0..<below(2)).map { _ in text() }, regions: (0..<below(2)).map { _ in text() }
        )
        return binding.isEmpty ? nil : binding
    }

    mutating func entitlement(_ type: FeatureType) -> EntitlementDefinition {
        switch type {
        case .boolean: .boolean(flag())
        case .static: .value(anyText())
        case .metered: .metered(metered())
        case .seat: .seats(seats())
        }
    }

    mutating func addition(_ type: FeatureType) -> EntitlementDefinition {
        switch type {
        case .boolean: .boolean(flag())
        case .static: .value(anyText())
        case .metered: .metered(.init(limit: limit(), period: .month))
        case .seat: .seats(.init(seats: limit()))
        }
    }

    // MARK: terms

    mutating func profile() -> CustomerProfile {
        CustomerProfile(
            name: maybe(anyText()), timeZone: one(of: ["UTC", "Europe/Berlin", "Asia/Kolkata"]),
            parent: maybe(CustomerID(text())), inherits: flag(),
            environment: one(of: Environment.allCases),
            subjects: (0..<below(4)).map { _ in
                .init(SubjectID(anyText()), environment: one(of: Environment.allCases))
            }, externalIDs: map(), owner: maybe(anyText()), metadata: map())
    }

    mutating func subscription(_ seatFeatures: [FeatureKey]) -> SubscriptionTerms {
        let start = time()
        var terms = SubscriptionTerms(
            plan: PlanKey(text()), planVersion: below(3), start: start, end: after(start),
            trialEnd: after(start), trialConverts: flag(),
            renewal: one(of: SubscriptionTerms.Renewal.allCases),
            billingFrequency: one(of: SubscriptionTerms.BillingFrequency.allCases),
            anchor: maybe(time()))
        for _ in 0..<below(3) {
            let start = maybe(time())
            terms.addOns.append(
                .init(
                    key: AddOnKey(text()), quantity: Int64(1 + below(3)), start: start,
                    end: after(start ?? time())))
        }
        for feature in seatFeatures where flag() { terms.seats[feature] = limit() }
        return terms
    }

    mutating func override(_ feature: FeatureDefinition) -> OverrideTerms {
        let value: OverrideTerms.Value
        switch feature.type {
        case .boolean: value = .boolean(flag())
        case .static: value = .value(anyText())
        case .seat: value = .seats(limit())
        case .metered:
            let full = metered()
            value = .metered(
                .init(
                    limit: full.limit, period: maybe(full.period), anchor: maybe(full.anchor),
                    thresholds: maybe(full.thresholds), enforcement: maybe(full.enforcement),
                    onOutage: maybe(full.onOutage), grace: full.grace, overageMax: full.overageMax))
        }
        let start = time()
        return OverrideTerms(
            feature: feature.key, value: value, binding: binding(), start: start,
            end: after(start), priority: below(5) - 2, reason: text())
    }

    mutating func grant(_ feature: FeatureKey) -> GrantTerms {
        let start = time()
        let least = one(of: [0, 5, 100] as [Int64])
        return GrantTerms(
            feature: feature, amount: units(), priority: below(5) - 2, start: start,
            expires: after(start), rolloverMin: least, rolloverMax: maybe(least + 7),
            reason: text())
    }

    mutating func recorded<Terms>(_ terms: Terms, isCustomer: Bool = false) -> Recorded<Terms> {
        Recorded(
            id: "r\(below(1_000))", customer: isCustomer ? nil : maybe("c1"),
            managedBy: maybe(anyText()), terms: terms)
    }
}
