import Entitlements
import MeteringModel
import QuotaEngine

/// The control plane's state, folded from its log, and what it decides.
struct DecisionReplay {
    private let zone: @Sendable (String) -> TimeZoneRules?
    private var records: [RecordKind: [String: RecordHistory]] = [:]
    private var recordsOfCustomer: [CustomerID: [RecordKind: Set<String>]] = [:]
    private var snapshot: CatalogSnapshot?
    private var changed: Set<CustomerID> = []
    private var revision: Int64 = 0
    private var scales: [FeatureKey: Int] = [:]

    init(zone: @escaping @Sendable (String) -> TimeZoneRules?) { self.zone = zone }

    mutating func take(_ change: ControlChange) {
        var history =
            records[change.kind]?[change.id]
            ?? RecordHistory(kind: change.kind, id: change.id, customer: change.customer)
        history.apply(change)
        records[change.kind, default: [:]][change.id] = history
        revision = change.sequence
        guard RecordKind.contract.contains(change.kind) else {
            // Definitions concern everybody.
            if change.kind != .seat, change.kind != .credential { snapshot = nil }
            return
        }
        let customer = change.customer ?? CustomerID(change.id)
        recordsOfCustomer[customer, default: [:]][change.kind, default: []].insert(change.id)
        changed.insert(customer)
    }

    /// What of the answer comes out otherwise; nil when it is decided the same again.
    mutating func difference(_ answer: Document) throws(ClientFailure) -> String? {
        let snapshot = try current()
        guard let customer = answer["customer"]?.text, let feature = answer["feature"]?.text,
            let at = answer["decided_at"]?.text.flatMap({ Timestamp(rfc3339: $0) }),
            let allowed = answer["allowed"]?.flag, let reason = answer["reason"]?.text
        else { return "not a decision document" }
        let stated = Verdict(
            isAllowed: allowed, reason: reason, source: answer["limit_source"]?.text,
            value: answer["value"]?.text)
        let found = verdicts(
            answer, CustomerID(customer), FeatureKey(feature), at: at, snapshot)
        if found.contains(where: { $0.agrees(with: stated, answer) }) { return nil }
        let words = found.map { $0.words }.joined(separator: " or ")
        return "\(customer) \(feature): answered \(stated.words), the log gives \(words)"
    }

    // MARK: parts

    private struct Verdict {
        var isAllowed: Bool
        var reason: String
        /// Of metered and seat features; nil where there is none.
        var limit: Limit??
        var scale = 0
        var source: String?
        var value: String?
        /// Of metered features; nil elsewhere.
        var remaining: Int64?
        var overage: Int64?

        /// What the answer says beyond the verdict must agree as well.
        func agrees(with stated: Verdict, _ answer: Document) -> Bool {
            guard isAllowed == stated.isAllowed, reason == stated.reason else { return false }
            if let source, let given = answer["limit_source"]?.text, given != source {
                return false
            }
            if let value, answer["value"]?.text != value { return false }
            if let remaining, limit != .some(.unlimited),
                DecisionReplay.units(answer["remaining"], scale: scale) != remaining
            {
                return false
            }
            if let overage, DecisionReplay.units(answer["overage"], scale: scale) != overage {
                return false
            }
            guard case .some(.some(let limit)) = limit else { return true }
            switch limit {
            case .unlimited: return answer["unlimited"]?.flag == true
            case .finite(let units):
                return answer["unlimited"]?.flag != true
                    && DecisionReplay.units(answer["limit"], scale: scale) == units
            }
        }

        var words: String {
            var text = (isAllowed ? "allowed" : "denied") + " (\(reason)"
            if case .some(.some(let limit)) = limit {
                let units = limit.finite.map { DecimalQuantity.text(units: $0, scale: scale) }
                text += ", limit \(units ?? "unlimited")"
            }
            if let remaining {
                text += ", remaining \(DecimalQuantity.text(units: remaining, scale: scale))"
            }
            if let overage {
                text += ", overage \(DecimalQuantity.text(units: overage, scale: scale))"
            }
            if let source { text += ", by \(source)" }
            return text + ")"
        }
    }

    private static func units(_ value: Document?, scale: Int) -> Int64? {
        guard let digits = value?.digits, let quantity = try? DecimalQuantity(digits) else {
            return nil
        }
        return try? quantity.units(scale: scale)
    }

    private func verdicts(
        _ answer: Document, _ customer: CustomerID, _ feature: FeatureKey, at: Timestamp,
        _ snapshot: CatalogSnapshot
    ) -> [Verdict] {
        func denied(_ reason: DecisionReason) -> [Verdict] {
            [Verdict(isAllowed: false, reason: reason.rawValue)]
        }
        guard let number = snapshot.customerIndex(customer), !snapshot.customer(number).isRemoved
        else { return denied(.unknownCustomer) }
        guard snapshot.feature(feature) != nil else { return denied(.unknownFeature) }
        guard let found = snapshot.entitlement(of: number, feature, at: at) else {
            return denied(snapshot.absence(of: number, at: at))
        }
        var verdicts: [Verdict] = []
        // Where the question came from is not in the answer: a bound entitlement may deny it.
        if let binding = found.binding, !binding.isEmpty { verdicts += denied(.notEntitled) }
        switch found.value {
        case .denied(let reason): return denied(reason)
        case .boolean(let isOn):
            let reason: DecisionReason = isOn ? .ok : .notEntitled
            verdicts.append(Verdict(isAllowed: isOn, reason: reason.rawValue))
        case .value(let text):
            verdicts.append(Verdict(isAllowed: true, reason: "ok", value: text))
        case .seats(let seats):
            let decision = QuotaRules.decideSeats(
                customer: customer, feature: feature, seats: seats.seats,
                taken: Self.units(answer["used"], scale: 0) ?? 0,
                quantity: Self.units(answer["quantity"], scale: 0) ?? 1, source: found.source)
            verdicts.append(
                Verdict(
                    isAllowed: decision.isAllowed, reason: decision.reason.rawValue,
                    limit: .some(seats.seats), source: found.source))
        case .metered:
            verdicts += metered(answer, number, feature, at: at, snapshot)
        }
        return verdicts
    }

    /// By the quota that the answer says was the tightest, with the answer's own readings.
    private func metered(
        _ answer: Document, _ number: Int, _ feature: FeatureKey, at: Timestamp,
        _ snapshot: CatalogSnapshot
    ) -> [Verdict] {
        let limiting = answer["limiting_customer"]?.text.map { CustomerID($0) }
        var quotas: [Quota] = []
        snapshot.levels(of: number, feature: feature, at: at) { owner, segment, position in
            if limiting == nil ? quotas.isEmpty : owner.id == limiting {
                quotas.append(segment.quota(position))
            }
        }
        guard var quota = quotas.first else {
            return [Verdict(isAllowed: false, reason: DecisionReason.notEntitled.rawValue)]
        }
        let scale = quota.scale
        func units(_ name: String) -> Int64 { Self.units(answer[name], scale: scale) ?? 0 }
        if !quota.grants.isEmpty, let limit = Self.units(answer["limit"], scale: scale),
            Self.isPossible(limit, quota)
        {
            // What is left of grants follows from usage, which the answer has and the log has not.
            quota.limit = .finite(limit)
        }
        let isCharged = answer["charged"]?.flag == true
        let quantity = isCharged ? 0 : units("quantity")
        let period = Period(start: at, end: at)
        let windows: [Timestamp?] = quota.grace?.days == nil ? [nil] : [nil, .distantPast]
        return windows.map { reached in
            var decision = QuotaRules.decide(
                quota: quota, reading: units("used"), held: units("held"), quantity: quantity,
                period: period, limitReachedAt: reached, decidedAt: at)
            if isCharged {
                let before = QuotaRules.decide(
                    quota: quota, reading: units("used") - units("quantity"), held: units("held"),
                    quantity: units("quantity"), period: period, limitReachedAt: reached,
                    decidedAt: at)
                decision.isAllowed = before.isAllowed
                decision.reason = before.reason
            }
            return Verdict(
                isAllowed: decision.isAllowed, reason: decision.reason.rawValue,
                limit: .some(quota.limit), scale: scale, source: quota.source,
                remaining: decision.remaining, overage: decision.overage)
        }
    }

    private static func isPossible(_ limit: Int64, _ quota: Quota) -> Bool {
        guard let allowance = quota.limit.finite else { return false }
        let extra = quota.grants.reduce(Int64(0)) { $0.addingSaturated($1.terms.amount) }
        return limit >= allowance && limit <= allowance.addingSaturated(extra)
    }

    /// The snapshot after all changes taken so far.
    private mutating func current() throws(ClientFailure) -> CatalogSnapshot {
        if let snapshot, changed.isEmpty { return snapshot }
        do throws(FieldProblem) {
            if let snapshot {
                let contracts = try changed.map { (id) throws(FieldProblem) in try contract(id) }
                return try keep(
                    snapshot.updating(contracts, revision: revision).map(\.snapshot))
            }
            let definitions = Self.definitionKinds.flatMap {
                records[$0].map { Array($0.values) } ?? []
            }
            let catalog = try RecordCodec.catalog(of: definitions)
            scales = CodecContext.scales(catalog.meters, catalog.features)
            let contracts = try recordsOfCustomer.keys.map { (id) throws(FieldProblem) in
                try contract(id)
            }
            return try keep(
                CatalogSnapshot.compile(
                    catalog, contracts: contracts, revision: revision, hash: KeyHash(k0: 1, k1: 2),
                    zone: zone))
        } catch {
            throw ClientFailure(.badInput, "the log does not give a sound state: \(error)")
        }
    }

    private static let definitionKinds: [RecordKind] = [
        .product, .meter, .feature, .plan, .addOn, .integration,
    ]

    private func contract(_ customer: CustomerID) throws(FieldProblem) -> CustomerContract {
        var histories: [RecordHistory] = []
        for kind in RecordKind.contract {
            for id in recordsOfCustomer[customer]?[kind] ?? [] {
                if let history = records[kind]?[id] { histories.append(history) }
            }
        }
        return try ContractReader(scales: scales).contract(of: customer, histories)
    }

    private mutating func keep(
        _ result: Result<CatalogSnapshot, CatalogIssues>
    ) throws(FieldProblem) -> CatalogSnapshot {
        switch result {
        case .success(let next):
            snapshot = next
            changed = []
            return next
        case .failure(let issues):
            throw FieldProblem(path: [], code: .invalidValue, message: issues.description)
        }
    }
}
