import MeteringModel

extension RandomCatalog {
    mutating func catalog() -> Catalog {
        var catalog = Catalog()
        catalog.products = (0..<below(3)).map {
            ProductDefinition(
                key: ProductKey("\(text())_\($0)"), name: maybe(anyText()),
                defaultPlan: maybe(PlanKey(text())))
        }
        catalog.meters = (0..<3).map { meter($0) }
        catalog.features = FeatureType.allCases.flatMap { type in
            (0..<2).map { feature($0, type, catalog.meters) }
        }
        for index in 0..<below(4) {
            var plan = PlanDefinition(
                key: PlanKey("\(text())_\(index)"), name: maybe(anyText()), product: product(),
                entitlements: [:], currency: currency(), fee: fee())
            for feature in catalog.features where flag() {
                plan.entitlements[feature.key] = entitlement(feature.type)
                plan.bindings[feature.key] = binding()
            }
            catalog.plans.append(plan)
            var addOn = AddOnDefinition(
                key: AddOnKey("\(text())_\(index)"), name: maybe(anyText()), product: product(),
                entitlements: [:], currency: currency(), fee: fee())
            for feature in catalog.features where flag() {
                addOn.entitlements[feature.key] = addition(feature.type)
            }
            catalog.addOns.append(addOn)
        }
        if flag() { catalog.stripe = stripe() }
        let seats = catalog.features.filter { $0.type == .seat }.map(\.key)
        catalog.customers = (0..<below(4)).map { index in
            CustomerDefinition(
                id: CustomerID("c\(index)"), profile: profile(),
                subscriptions: (0..<below(3)).map { number in
                    .init(id: maybe("s\(number)"), terms: subscription(seats))
                })
        }
        return catalog
    }

    private mutating func product() -> ProductKey { flag() ? .default : ProductKey(text()) }

    private mutating func meter(_ index: Int) -> MeterDefinition {
        let paths = ["$.a", "$.b.c", "$.model"].compactMap { ValuePath($0) }
        return MeterDefinition(
            key: MeterKey("\(text())_\(index)"), eventType: text(),
            aggregation: one(of: Aggregation.allCases), value: maybe(one(of: paths)),
            unit: anyText(), scale: [0, 2, 12][index],
            groupBy: flag()
                ? [] : [.init(name: "a", path: paths[0]), .init(name: "no", path: paths[1])],
            filters: paths.filter { _ in flag() }.map {
                MeterFilter(path: $0, accepted: (0..<below(3)).map { _ in anyText() })
            }, allowsNegative: flag(), groupsMax: [1, 10_000, 1_000_000][below(3)])
    }

    private mutating func feature(
        _ index: Int, _ type: FeatureType, _ meters: [MeterDefinition]
    ) -> FeatureDefinition {
        FeatureDefinition(
            key: FeatureKey("\(text())_\(type.rawValue)_\(index)"), name: maybe(anyText()),
            type: type, meter: type == .metered ? meters[index + below(2)].key : nil,
            counting: one(of: CountingMode.allCases))
    }

    mutating func stripe() -> StripeMapping {
        var mapping = StripeMapping(
            onPaymentFailed: one(of: StripeMapping.PaymentFailure.allCases),
            failedAttempts: 1 + below(5))
        for _ in 0..<below(4) {
            mapping.prices[text()] = one(of: [
                .plan(PlanKey(text())), .addOn(AddOnKey(text())), .seats(FeatureKey(text())),
            ])
        }
        for _ in 0..<below(3) {
            mapping.meters[MeterKey(text())] = .init(
                eventName: anyText(), window: one(of: StripeMapping.MeterTarget.Window.allCases))
        }
        return mapping
    }
}
