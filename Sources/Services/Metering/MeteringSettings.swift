/// How the pipeline treats time and how much it takes at once. Seconds unless the name says else.
package struct MeteringSettings: Sendable {
    /// How long an event identity is remembered, by log time.
    package var dedupeWindowSeconds: Int64 = 35 * 86_400
    /// Events older than this (by log time) are set aside, unless they say they are a backfill.
    package var maximumAgeSeconds: Int64 = 35 * 86_400
    /// Events further ahead than this (by log time) are set aside.
    package var maximumAheadSeconds: Int64 = 300
    /// How long after its end a period stays open for late events.
    package var closingGraceSeconds: Int64 = 72 * 3_600
    /// A batch is committed when it is this old or this large, whichever comes first.
    package var commitIntervalMilliseconds: Int = 50
    package var commitRecordCount: Int = 200_000
    /// Set-aside payloads are kept up to this size; the rest is cut off and the detail says so.
    package var setAsideBytesMax: Int = 64 * 1_024
    package var maximumEventBytes: Int = 1 << 20
    /// How long rollups are kept; those that a period still open needs are kept longer, and months
    /// for ever. Days: 0 means for ever.
    package var hourRollupSeconds: Int64 = 400 * 86_400
    package var dayRollupSeconds: Int64 = 1_100 * 86_400

    package init() {}
}
