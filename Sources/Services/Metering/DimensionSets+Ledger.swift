import MeteringPorts
import UsageAggregation

extension DimensionSets {
    mutating func restore(_ set: DimensionSet) {
        restore(set.hash, at: Place(meter: set.meter, month: set.month))
    }
}
