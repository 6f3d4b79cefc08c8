import MeteringModel
import MeteringPorts
import Rating

/// Everything that recurs and has a price, 0 too, at one instant, by the contract alone.
struct FeesInForce {
    struct Fee {
        var kind: StatementLine.Kind
        var subscription: String
        var item: String
        var quantity: Int64
        var price: RecurringPrice
    }
    let account: FeeAccount
    let instant: Timestamp

    var all: [Fee] {
        account.contract.subscriptions.flatMap { subscription -> [Fee] in
            guard let terms = subscription.terms.value(at: instant), isInForce(terms),
                let plan = account.plan(terms.plan, terms.planVersion),
                !isRevoked(plan.product)
            else { return [] }
            return fees(subscription.id, terms, plan)
        }
    }

    /// Trials cost nothing.
    private func isInForce(_ terms: SubscriptionTerms) -> Bool {
        terms.start <= instant && terms.end.map { instant < $0 } ?? true
            && terms.trialEnd.map { $0 <= instant && terms.trialConverts } ?? true
            // One payment is for all time: no cycle holds the instant.
            && terms.billingFrequency != .once
    }

    private func isRevoked(_ product: ProductKey) -> Bool {
        account.contract.revocations.contains { revocation in
            guard let terms = revocation.terms.value(at: instant) else { return false }
            return terms.product == product && terms.start <= instant
                && terms.end.map { instant < $0 } ?? true
        }
    }

    private func fees(
        _ id: String, _ terms: SubscriptionTerms, _ plan: PlanDefinition
    ) -> [Fee] {
        var fees: [Fee] = []
        func add(
            _ kind: StatementLine.Kind, _ item: String, _ quantity: Int64, _ price: RecurringPrice
        ) {
            if quantity <= 0 { return }
            fees.append(
                Fee(kind: kind, subscription: id, item: item, quantity: quantity, price: price))
        }
        if let fee = plan.fee { add(.fee, plan.key.rawValue, 1, fee) }
        for (feature, entitlement) in plan.entitlements {
            guard case .seats(let seats) = entitlement, let price = seats.price,
                let bought = (terms.seats[feature] ?? seats.seats).finite
            else { continue }
            add(.seats, feature.rawValue, bought - price.included, price)
        }
        for addOn in terms.addOns {
            guard addOn.start.map({ $0 <= instant }) ?? true,
                addOn.end.map({ instant < $0 }) ?? true,
                let fee = account.addOnFees[addOn.key]?.value(at: instant),
                !isRevoked(account.addOnProducts[addOn.key] ?? plan.product)
            else { continue }
            add(.addOn, addOn.key.rawValue, addOn.quantity, fee.fee)
        }
        return fees
    }
}
