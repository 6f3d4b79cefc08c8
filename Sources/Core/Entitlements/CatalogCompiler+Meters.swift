import MeteringModel

extension CatalogCompiler {
    /// An amount has at most this many decimal places; Int64 holds 18 digits.
    static let scaleMax = 12
    static let dimensionsMax = 8
    static let acceptedMax = 64
    static let groupsMax = 1...1_000_000

    mutating func compileMeter(_ index: Int) {
        let meter = catalog.meters[index]
        let path = ["meters", String(index)]
        checkKey(meter.key.rawValue, at: path + ["key"])
        if parts.meterIndexes[meter.key] != nil {
            issues.add(path + ["key"], "there are two meters \"\(meter.key)\"")
        } else {
            parts.meterIndexes[meter.key] = index
        }
        checkValue(of: meter, at: path)
        checkDimensions(of: meter, at: path)
        if !Self.groupsMax.contains(meter.groupsMax) {
            issues.add(path + ["max_groups"], "max_groups must be 1 to 1000000")
        }
        for (number, filter) in meter.filters.enumerated() {
            let place = path + ["filters", String(number)]
            if filter.accepted.isEmpty { issues.add(place, "a filter must accept some value") }
            if filter.accepted.count > Self.acceptedMax {
                issues.add(place, "a filter accepts at most \(Self.acceptedMax) values")
            }
        }
        let compiled = CompiledMeter(
            meterIndex: index, aggregation: meter.aggregation, scale: meter.scale,
            valueSlot: meter.value.map { slot(of: $0) },
            groupBySlots: meter.groupBy.map { .init(name: $0.name, slot: slot(of: $0.path)) },
            filters: meter.filters.map { .init(slot: slot(of: $0.path), accepted: $0.accepted) },
            allowsNegative: meter.allowsNegative, groupsMax: meter.groupsMax)
        guard checkID(meter.eventType, at: path + ["event_type"]) else { return }
        let number = parts.metersOfTypeNumber.count
        let typeHash = hash.hash(meter.eventType)
        if let known = parts.typeNumbers.insert(meter.eventType, hash: typeHash, number: number) {
            parts.metersOfTypeNumber[known].append(compiled)
        } else {
            parts.metersOfTypeNumber.append([compiled])
        }
    }

    private mutating func checkValue(of meter: MeterDefinition, at path: [String]) {
        let name = meter.aggregation.rawValue
        if meter.aggregation == .count {
            if meter.value != nil {
                issues.add(
                    path + ["value"], "count counts events and takes no value; sum adds values up")
            }
        } else if meter.value == nil {
            issues.add(path, "\(name) needs a value, e.g. value: $.amount")
        }
        guard (0...Self.scaleMax).contains(meter.scale) else {
            issues.add(path + ["scale"], "scale must be 0 to \(Self.scaleMax) decimal places")
            return
        }
        if meter.scale > 0, meter.aggregation == .count || meter.aggregation == .unique {
            issues.add(path + ["scale"], "\(name) makes whole numbers, so its scale is 0")
        }
    }

    private mutating func checkDimensions(of meter: MeterDefinition, at path: [String]) {
        if meter.groupBy.count > Self.dimensionsMax {
            issues.add(
                path + ["group_by"], "a meter has at most \(Self.dimensionsMax) dimensions")
        }
        var names: Set<String> = []
        for dimension in meter.groupBy {
            let place = path + ["group_by", dimension.name]
            checkKey(dimension.name, at: place)
            if !names.insert(dimension.name).inserted {
                issues.add(place, "there are two dimensions \"\(dimension.name)\"")
            }
        }
    }

    mutating func compileFeature(_ index: Int) {
        let feature = catalog.features[index]
        let path = ["features", String(index)]
        checkKey(feature.key.rawValue, at: path + ["key"])
        if parts.features[feature.key] != nil {
            issues.add(path + ["key"], "there are two features \"\(feature.key)\"")
        } else {
            parts.features[feature.key] = feature
        }
        guard feature.type == .metered else {
            let kind = feature.type.rawValue
            if feature.meter != nil {
                issues.add(path + ["meter"], "a \(kind) feature has no meter")
            }
            if feature.counting != .events {
                issues.add(path + ["counting"], "a \(kind) feature is not counted")
            }
            return
        }
        guard let key = feature.meter else {
            issues.add(path, "a metered feature needs a meter")
            return
        }
        guard let meterIndex = parts.meterIndexes[key] else {
            let hint = NearestKey.hint(for: key.rawValue, in: catalog.meters.map(\.key.rawValue))
            issues.add(path + ["meter"], "there is no meter \"\(key)\"\(hint)")
            return
        }
        if feature.counting == .admission {
            checkAdmission(feature, catalog.meters[meterIndex], at: path + ["counting"])
            checkSoleAdmission(feature, key, at: path + ["meter"])
        }
    }

    /// Each admitted unit is charged to one counter before its event is in the ledger; a second
    /// counter of the same meter would learn of it too late to be exact.
    private mutating func checkSoleAdmission(
        _ feature: FeatureDefinition, _ meter: MeterKey, at path: [String]
    ) {
        let other = catalog.features.first {
            $0.key != feature.key && $0.meter == meter && $0.counting == .admission
        }
        guard let other, other.key < feature.key else { return }
        issues.add(
            path,
            "features \"\(other.key)\" and \"\(feature.key)\" are both counted at admission on "
                + "meter \"\(meter)\"; give each a meter of its own")
    }

    /// Admission charges before the event exists, so the charge must follow from the amount alone.
    private mutating func checkAdmission(
        _ feature: FeatureDefinition, _ meter: MeterDefinition, at path: [String]
    ) {
        if !meter.aggregation.isAdditive {
            issues.add(
                path,
                "counting: admission needs a meter that counts or sums; \"\(meter.key)\" is "
                    + "\(meter.aggregation.rawValue), which cannot be charged in advance")
        }
        if !meter.filters.isEmpty {
            issues.add(
                path,
                "counting: admission needs a meter without filters; the events that the gate "
                    + "writes itself would not pass those of \"\(meter.key)\"")
        }
    }
}
