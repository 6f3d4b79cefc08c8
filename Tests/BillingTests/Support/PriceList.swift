import MeteringModel

/// Plans of the five price models; version 2 costs twice as much, the fee half as much again.
enum PriceList {
    static func catalog(_ model: Reckoning.Model, period: PeriodUnit = .month) -> Catalog {
        catalog(
            plans: [
                plan("pro", 2, price(model, factor: 2), fee: "45", period: period)
            ], past: [plan("pro", 1, price(model, factor: 1), fee: "30", period: period)])
    }

    static func catalog(
        plans: [PlanDefinition], past: [PlanDefinition] = [], addOns: [AddOnDefinition] = []
    ) -> Catalog {
        Catalog(
            meters: [
                MeterDefinition(
                    key: "tokens", eventType: "llm.request", aggregation: .sum,
                    value: ValuePath(members: ["total"]))
            ],
            features: [
                FeatureDefinition(key: "tokens", type: .metered, meter: "tokens"),
                FeatureDefinition(key: "editors", type: .seat),
            ], plans: plans, pastPlans: past, addOns: addOns)
    }

    static func plan(
        _ key: PlanKey, _ version: Int, _ price: UsagePrice?, fee: String?,
        currency: Currency? = .eur, period: PeriodUnit = .month,
        anchor: MeteredEntitlement.Anchor = .calendar, limit: Limit = .finite(100),
        seatPrice: String? = nil
    ) -> PlanDefinition {
        var entitlements: [FeatureKey: EntitlementDefinition] = [
            "tokens": .metered(
                MeteredEntitlement(
                    limit: limit, period: period, anchor: anchor, enforcement: .soft,
                    price: price))
        ]
        if let seatPrice {
            entitlements["editors"] = .seats(
                SeatEntitlement(
                    seats: .finite(5), price: RecurringPrice(amount: decimal(seatPrice))))
        }
        return PlanDefinition(
            key: key, version: version, entitlements: entitlements, currency: currency,
            fee: fee.map { RecurringPrice(amount: decimal($0)) })
    }

    static func price(_ model: Reckoning.Model, factor: Int128) -> UsagePrice {
        func times(_ text: String) -> ExactDecimal {
            guard
                let amount = ExactDecimal(text)?.multiplied(
                    by: ExactDecimal(units: factor, scale: 0))
            else { preconditionFailure("\(text) is no price") }
            return amount
        }
        let model: UsagePrice.Model =
            switch model {
            case .flat: .flat(times("12.34"))
            case .unit: .perUnit(times("0.002345"))
            case .graduated:
                .graduated([
                    PriceTier(upTo: 1_000, unit: times("0.01")),
                    PriceTier(upTo: nil, unit: times("0.0033"), flat: times("5")),
                ])
            case .volume:
                .volume([
                    PriceTier(upTo: 1_000, unit: times("0.01")),
                    PriceTier(upTo: nil, unit: times("0.0033")),
                ])
            case .package: .package(size: 250, times("1.25"))
            }
        return UsagePrice(model: model, included: .units(100))
    }
}
