import MeteringModel

extension CatalogCompiler {
    static let tiersMax = 64
    /// Decimal places of an amount.
    static let pricePlacesMax = 12
    /// Amounts are below this, so that what usage comes to can be computed exactly.
    private static let priceMax = ExactDecimal(units: 1_000_000_000_000, scale: 0)
    /// Bytes of an event name that Stripe takes.
    private static let eventNameBytesMax = 100

    // MARK: plans and add-ons

    mutating func checkPrices(of plan: PlanDefinition, at path: [String]) {
        if let fee = plan.fee { check(fee, plan.currency, "fee", at: path + ["fee"]) }
        for (feature, entitlement) in plan.entitlements.sorted(by: { $0.key < $1.key }) {
            let place = path + ["entitlements", feature.rawValue, "price"]
            switch entitlement {
            case .boolean, .value: break
            case .seats(let seats):
                if let price = seats.price { check(price, plan.currency, "price", at: place) }
            case .metered(let metered):
                guard let price = metered.price else { break }
                checkCurrency(plan.currency, "price", at: place)
                if let problem = Self.problem(withPricedPeriod: metered.period) {
                    issues.add(place, problem)
                }
                check(price, at: place)
            }
        }
    }

    mutating func checkPrices(of addOn: AddOnDefinition, at path: [String]) {
        if let fee = addOn.fee { check(fee, addOn.currency, "fee", at: path + ["fee"]) }
        for (feature, entitlement) in addOn.entitlements.sorted(by: { $0.key < $1.key }) {
            let isPriced =
                switch entitlement {
                case .boolean, .value: false
                case .seats(let seats): seats.price != nil
                case .metered(let metered): metered.price != nil
                }
            if isPriced {
                issues.add(
                    path + ["entitlements", feature.rawValue, "price"],
                    "plans have prices of features; an add-on has a fee")
            }
        }
    }

    /// Nil for periods that statements can bill.
    static func problem(withPricedPeriod period: PeriodUnit) -> String? {
        switch period {
        case .day, .week, .month, .quarter, .year: nil
        case .hour, .lifetime:
            "a price needs a quota per day, week, month, quarter or year, not per "
                + period.rawValue
        }
    }

    private mutating func checkCurrency(_ currency: Currency?, _ what: String, at path: [String]) {
        if currency != nil { return }
        issues.add(path, "a \(what) needs a currency, e.g. currency: EUR beside it")
    }

    private mutating func check(
        _ price: RecurringPrice, _ currency: Currency?, _ what: String, at path: [String]
    ) {
        checkCurrency(currency, what, at: path)
        check(price.amount, at: path)
        if price.included < 0 {
            issues.add(path + ["included"], "what is included must not be negative")
        }
    }

    /// An amount of money, of any currency.
    private mutating func check(_ amount: ExactDecimal, at path: [String]) {
        if amount.isNegative {
            issues.add(path, "an amount must not be negative, found \(amount.text)")
        } else if amount >= Self.priceMax {
            issues.add(path, "an amount must be below \(Self.priceMax.text)")
        }
        if amount.scale > Self.pricePlacesMax {
            issues.add(
                path,
                "an amount has at most \(Self.pricePlacesMax) decimal places, found "
                    + "\(amount.scale)")
        }
    }

    // MARK: usage

    private mutating func check(_ price: UsagePrice, at path: [String]) {
        switch price.model {
        case .flat(let amount): check(amount, at: path + ["flat"])
        case .perUnit(let unit): check(unit, at: path + ["unit"])
        case .graduated(let tiers): check(tiers, at: path + ["graduated"])
        case .volume(let tiers): check(tiers, at: path + ["volume"])
        case .package(let size, let amount):
            if size < 1 {
                issues.add(
                    path + ["package", "size"],
                    "a package needs a size above 0, e.g. 1000")
            }
            check(amount, at: path + ["package", "amount"])
        }
        if case .units(let units) = price.included, units < 0 {
            issues.add(path + ["included"], "what is included must not be negative")
        }
        if let minimum = price.minimum { check(minimum, at: path + ["minimum"]) }
        if let maximum = price.maximum { check(maximum, at: path + ["maximum"]) }
        if let minimum = price.minimum, let maximum = price.maximum, minimum > maximum {
            issues.add(
                path + ["minimum"],
                "the minimum \(minimum.text) must not be above the maximum \(maximum.text)")
        }
    }

    private mutating func check(_ tiers: [PriceTier], at path: [String]) {
        if tiers.isEmpty {
            issues.add(path, "tiers need at least one, e.g. [{unit: 0.01}]")
        }
        if tiers.count > Self.tiersMax {
            issues.add(path, "a price has at most \(Self.tiersMax) tiers, found \(tiers.count)")
            return
        }
        var last: Int64 = 0
        for (index, tier) in tiers.enumerated() {
            let place = path + [String(index)]
            check(tier.unit, at: place + ["unit"])
            check(tier.flat, at: place + ["flat"])
            let isLast = index == tiers.count - 1
            guard let upTo = tier.upTo else {
                if !isLast {
                    issues.add(
                        place, "only the last tier is without up_to: it takes all the rest")
                }
                continue
            }
            if isLast {
                issues.add(
                    place + ["up_to"],
                    "the last tier takes all the rest: leave out its up_to, or add a tier")
            }
            if upTo <= last {
                issues.add(
                    place + ["up_to"],
                    index == 0
                        ? "a tier must end above 0"
                        : "tiers must ascend: this one must end above the one before it")
            }
            last = max(last, upTo)
        }
    }

    // MARK: Stripe

    mutating func checkStripeMeters() {
        var takenNames: [String: MeterKey] = [:]
        for (key, target) in (catalog.stripe?.meters ?? [:]).sorted(by: { $0.key < $1.key }) {
            let path = ["stripe", "meters", key.rawValue]
            if parts.meterIndexes[key] == nil {
                let hint = NearestKey.hint(
                    for: key.rawValue, in: catalog.meters.map(\.key.rawValue))
                issues.add(path, "there is no meter \"\(key)\"\(hint)")
            }
            if let index = parts.meterIndexes[key] { checkSum(of: catalog.meters[index], path) }
            let length = target.eventName.utf8.count
            if length < 1 || length > Self.eventNameBytesMax {
                issues.add(
                    path + ["event_name"],
                    "an event name has 1 to \(Self.eventNameBytesMax) bytes, found \(length)")
            }
            if let other = takenNames.updateValue(key, forKey: target.eventName) {
                issues.add(
                    path + ["event_name"],
                    "meter \"\(other)\" is reported as \"\(target.eventName)\" already")
            }
        }
    }

    /// Stripe is told increments, and adds them up.
    private mutating func checkSum(of meter: MeterDefinition, _ path: [String]) {
        switch meter.aggregation {
        case .count, .sum: break
        case .max, .min, .latest, .unique, .avg:
            issues.add(
                path,
                "only meters that count or sum can be reported to Stripe, and \"\(meter.key)\" is "
                    + "\(meter.aggregation.rawValue)")
        }
    }
}
