import Entitlements
package import MeteringModel
package import MeteringPorts
import QuotaEngine

// The way of most questions, without a lock on the counter and without copying a quota.
extension QuotaGate {
    /// The answer about a customer on whose feature one quota decides, with a limit and nothing
    /// else, of which nothing is held. Nil in all other cases: then the long way (`resolve`,
    /// `decide`) answers. Where both answer they say the same.
    package func plainAnswer(
        _ question: EntitlementQuestion
    ) throws(GateError) -> Decision? {
        guard let generation = board.settledGeneration else { return nil }
        let snapshot = board.catalog.load()
        guard let number = plainNumber(of: question, snapshot),
            let feature = snapshot.definitions.featureNumber(question.feature)
        else { return nil }
        let now = clock.now()
        let customer = snapshot.customer(number)
        guard let quota = customer.soleQuota(feature: feature, at: now) else { return nil }
        let outline = quota.outline
        let key = CounterBoard.key(customer.id, question.feature, snapshot.hash)
        guard let cell = board.plainReading(key, at: now),
            cell.base == (outline.limit.finite ?? 0)
        else { return nil }
        let period = board.periods.period(
            quota.rule, containing: now, zone: customer.zone, snapshot.hash)
        guard period.end.seconds == cell.periodEnd, board.settledGeneration == generation else {
            return nil
        }
        let used = cell.base.subtractingSaturated(cell.remaining)
        var decision = Decision(
            isAllowed: true, reason: .ok, customer: customer.id, feature: question.feature,
            quantity: try units(question.quantity, scale: outline.scale), scale: outline.scale,
            limit: outline.limit, used: used, remaining: .max, period: period,
            thresholdsCrossed: outline.thresholdsReached(used),
            limitSource: quota.entitlement.source,
            mode: shared?.isDegraded == true ? .stale : .exact,
            usageCompleteTo: completeTo(), timeZone: customer.zone.name, decidedAt: now,
            revision: snapshot.revision)
        QuotaRules.conclude(
            &decision, stop: outline.enforcement == .hard ? outline.limit.finite : nil,
            lowestThreshold: outline.lowestThreshold)
        if decision.reason != .ok {
            decision.upgradeHint = customer.segment(at: now).upgradeHint(question.feature)
        }
        return decision
    }

    private func plainNumber(
        of question: EntitlementQuestion, _ snapshot: CatalogSnapshot
    ) -> Int? {
        switch question.party {
        case .customer(let id):
            return question.environment == .production ? snapshot.customerIndex(id) : nil
        case .subject(let subject): return snapshot.customerIndex(ofSubject: subject)
        }
    }
}
