import MeteringModel
import Testing

@Suite struct QuantityTests {
    @Test(arguments: [
        ("0", 0, 0), ("-12", 0, -12), ("3.25", 2, 325), ("3.250", 2, 325), ("3.2500", 2, 325),
        ("1e3", 0, 1_000), ("1E+3", 0, 1_000), ("12.5e1", 0, 125), ("125e-2", 2, 125),
        ("0.000", 0, 0), ("-0.5", 1, -5), ("1.001", 3, 1_001), ("100", 2, 10_000),
        ("9223372036854775807", 0, .max), ("-9223372036854775808", 0, .min),
        ("92233720368547758.07", 2, .max), ("1.0000000000000000000000000", 0, 1),
        ("0e400", 5, 0), ("1.10", 1, 11),
    ])
    func parses(text: String, scale: Int, units: Int64) throws {
        #expect(try DecimalQuantity(text).units(scale: scale) == units)
    }

    @Test(arguments: [
        "", "-", "+1", ".5", "1.", "1.e3", "1e", "1e+", "NaN", "Infinity", "1 ", " 1", "1,5", "0x1",
        "1.2.3", "--1", "1e1.5",
    ])
    func refusesWhatIsNoNumber(text: String) {
        #expect(throws: DecimalQuantity.Failure.notANumber) { try DecimalQuantity(text) }
    }

    @Test func overflowAndPrecisionAreToldApart() {
        #expect(throws: DecimalQuantity.Failure.overflow) {
            try DecimalQuantity("9223372036854775808")
        }
        #expect(throws: DecimalQuantity.Failure.overflow) {
            try DecimalQuantity("1e19").units(scale: 0)
        }
        #expect(throws: DecimalQuantity.Failure.overflow) {
            try DecimalQuantity("92233720368547758.08").units(scale: 2)
        }
        #expect(throws: DecimalQuantity.Failure.tooPrecise) {
            try DecimalQuantity("1.005").units(scale: 2)
        }
        #expect(throws: DecimalQuantity.Failure.tooPrecise) {
            try DecimalQuantity("1e-400").units(scale: 2)
        }
    }

    @Test func textShowsTheScale() throws {
        for (units, scale, text) in [
            (Int64(125), 2, "1.25"), (5, 2, "0.05"), (-5, 2, "-0.05"), (0, 2, "0.00"),
            (.min, 3, "-9223372036854775.808"), (7, 0, "7"),
        ] {
            #expect(DecimalQuantity.text(units: units, scale: scale) == text)
            #expect(try DecimalQuantity(text).units(scale: scale) == units)
        }
    }

    @Test(arguments: [
        (Threshold.share(basisPoints: 8_000), Limit.finite(3), Int64?(3)),
        (.share(basisPoints: 8_000), .finite(10), 8), (.share(basisPoints: 1), .finite(1), 1),
        (.share(basisPoints: 12_000), .finite(10), 12), (.share(basisPoints: 8_000), .finite(0), 0),
        (.share(basisPoints: 10_000), .finite(.max), .max),
        (.share(basisPoints: 20_000), .finite(.max), .max),
        (.share(basisPoints: 5_000), .finite(.max), .max / 2 + 1),
        (.share(basisPoints: 8_000), .unlimited, nil), (.absolute(7), .unlimited, 7),
    ])
    func thresholdLevels(threshold: Threshold, limit: Limit, level: Int64?) {
        #expect(threshold.level(of: limit) == level)
    }

    @Test func thresholdLabels() {
        let labels = [8_000, 9_950, 9_905, 10_000, 1, 12_345].map {
            Threshold.share(basisPoints: $0).label
        }
        #expect(labels == ["80%", "99.5%", "99.05%", "100%", "0.01%", "123.45%"])
        #expect(Threshold.absolute(500).label == "500")
    }
}
