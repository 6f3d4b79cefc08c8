// swift-tools-version: 6.2
import PackageDescription

// The floors of the building: a target may import targets of the floors below it, never a sibling.
// `swift build --explicit-target-dependency-import-check error` holds the code to what stands here.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
]

func floor(
    _ path: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil
) -> Target {
    let name = String(path.split(separator: "/").last!)
    return .target(
        name: name, dependencies: dependencies, path: "Sources/\(path)", resources: resources,
        swiftSettings: settings)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)", resources: resources,
        swiftSettings: settings)
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOTLS", package: "swift-nio"),
]
let tls: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let client: Target.Dependency = .product(
    name: "AsyncHTTPClient", package: "async-http-client")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(
    name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "tollgate",
    products: [.executable(name: "tollgate", targets: ["tollgate"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // L0: C libraries
        .systemLibrary(
            name: "CLibrdkafka", path: "Sources/C/CLibrdkafka", pkgConfig: "rdkafka",
            providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(
            name: "CHiredis", path: "Sources/C/CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .systemLibrary(
            name: "CSQLite", path: "Sources/C/CSQLite", pkgConfig: "sqlite3",
            providers: [.apt(["libsqlite3-dev"])]),
        .target(
            name: "CSimdJSON", path: "Sources/C/CSimdJSON",
            cxxSettings: [.unsafeFlags(["-O3"])],
            linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]),

        // L1: vocabulary and atomic cells
        floor("Base/MeteringModel"),
        floor("Base/LockFree"),

        // L2: pure decisions and folds
        floor("Core/MeteringPorts", ["MeteringModel"]),
        floor("Core/QuotaEngine", ["MeteringModel", "LockFree"]),
        floor("Core/UsageAggregation", ["MeteringModel"]),
        floor("Core/Entitlements", ["MeteringModel"]),
        floor("Core/Forecasting", ["MeteringModel"]),
        floor("Core/Rating", ["MeteringModel"]),

        // L3: drivers, the only importers of C
        floor("Drivers/KafkaClient", ["CLibrdkafka"]),
        floor("Drivers/RedisClient", ["CHiredis"]),
        floor("Drivers/SQLClient", ["CSQLite"]),
        floor("Drivers/EventDecoding", ["CSimdJSON"]),
        floor("Drivers/HostLookup"),

        // L4: adapters, domain to driver
        floor("Adapters/KafkaEventLog", ["MeteringModel", "MeteringPorts", "KafkaClient", log]),
        floor("Adapters/JournalEventLog", ["MeteringModel", "MeteringPorts", "SQLClient", log]),
        floor(
            "Adapters/RedisCounterStore", ["MeteringModel", "MeteringPorts", "RedisClient", log]),
        floor("Adapters/SQLLedger", ["MeteringModel", "MeteringPorts", "SQLClient", log]),
        floor("Adapters/SQLAlerts", ["MeteringModel", "MeteringPorts", "SQLClient"]),
        floor(
            "Adapters/SQLCatalog", ["MeteringModel", "MeteringPorts", "SQLClient", log, crypto]),
        floor("Adapters/SQLBilling", ["MeteringModel", "MeteringPorts", "SQLClient"]),
        floor(
            "Adapters/OutboundHTTP", ["MeteringPorts", "HostLookup", client, tls] + nio),
        floor("Adapters/AlertKeys", ["MeteringPorts", crypto]),
        floor(
            "Adapters/YAMLCatalog",
            [
                "MeteringModel", "MeteringPorts", "Entitlements",
                .product(name: "Yams", package: "Yams"),
            ]),

        // L5: services
        floor(
            "Services/Metering",
            [
                "MeteringModel", "MeteringPorts", "UsageAggregation", "Entitlements",
                "QuotaEngine", "EventDecoding", log,
            ]),
        floor(
            "Services/Enforcement",
            ["MeteringModel", "MeteringPorts", "QuotaEngine", "Entitlements", log]),
        floor(
            "Services/Billing",
            ["MeteringModel", "MeteringPorts", "Entitlements", "Rating", log]),
        floor("Services/BillingExport", ["MeteringModel", "MeteringPorts", log]),
        floor("Services/Alerting", ["MeteringModel", "MeteringPorts", log]),
        floor(
            "Services/Signals",
            [
                "MeteringModel", "MeteringPorts", "Entitlements", "Rating", "Forecasting", log,
            ]),
        floor(
            "Services/Provisioning",
            ["MeteringModel", "MeteringPorts", "Entitlements", log, crypto]),

        // L6: edges
        floor(
            "Edges/HTTPAPI",
            ["MeteringModel", "MeteringPorts", log, tls, crypto] + nio),

        // L7: the program
        .executableTarget(
            name: "tollgate",
            dependencies: [
                "MeteringModel", "MeteringPorts", "LockFree", "QuotaEngine", "UsageAggregation",
                "Entitlements", "EventDecoding", "KafkaEventLog", "JournalEventLog",
                "RedisCounterStore", "RedisClient", "SQLLedger", "SQLCatalog", "SQLBilling",
                "SQLAlerts", "YAMLCatalog", "OutboundHTTP", "AlertKeys", "Rating", "Forecasting",
                "Metering", "Enforcement", "Alerting", "Billing", "BillingExport", "Signals",
                "Provisioning", "HTTPAPI", log, arguments, tls, crypto,
                .product(name: "Yams", package: "Yams"),
            ] + nio,
            path: "Sources/tollgate", swiftSettings: settings),

        // Benchmarks: a target of this package because `package` access ends at its border
        .executableTarget(
            name: "tollgate-bench",
            dependencies: [
                "CLibrdkafka", "CSimdJSON", "MeteringModel", "MeteringPorts", "QuotaEngine",
                "Entitlements", "Rating", "Forecasting", "EventDecoding", "KafkaClient",
                "RedisClient", "KafkaEventLog", "RedisCounterStore", "SQLClient", "SQLLedger",
                "SQLAlerts", "SQLBilling", "SQLCatalog", "YAMLCatalog", "OutboundHTTP", "AlertKeys",
                "Metering", "Enforcement", "Alerting", "Billing", "BillingExport", "Signals", log,
                arguments,
            ] + nio,
            path: "Benchmarks/TollgateBench", swiftSettings: settings),

        // Tests, floor by floor
        tests("MeteringModelTests", ["MeteringModel"]),
        tests("LockFreeTests", ["LockFree", "QuotaEngine", "MeteringModel"]),
        tests("ForecastingTests", ["Forecasting", "MeteringModel"]),
        tests("UsageAggregationTests", ["UsageAggregation", "MeteringModel"]),
        tests(
            "EntitlementsTests", ["Entitlements", "YAMLCatalog", "MeteringModel", "MeteringPorts"]),
        tests("RatingTests", ["Rating", "MeteringModel"]),
        tests("EventDecodingTests", ["EventDecoding"]),
        tests("SQLCatalogTests", ["SQLCatalog", "SQLClient", "MeteringModel", "MeteringPorts"]),
        tests(
            "BillingExportTests",
            [
                "BillingExport", "SQLBilling", "SQLClient", "MeteringModel", "MeteringPorts", log,
            ]),
        tests("SQLBillingTests", ["SQLBilling", "SQLClient", "MeteringModel", "MeteringPorts"]),
        tests(
            "BillingTests",
            [
                "Billing", "SQLBilling", "SQLLedger", "Rating", "Entitlements", "YAMLCatalog",
                "MeteringModel", "MeteringPorts", log,
            ]),
        tests(
            "ProvisioningTests",
            [
                "Provisioning", "SQLCatalog", "YAMLCatalog", "Entitlements", "MeteringModel",
                "MeteringPorts", log, crypto,
            ]),
        tests("SQLAlertsTests", ["SQLAlerts", "SQLClient", "MeteringModel", "MeteringPorts"]),
        tests(
            "OutboundHTTPTests", ["OutboundHTTP", "HostLookup", "MeteringPorts", tls] + nio),
        tests("AlertKeysTests", ["AlertKeys", "MeteringPorts"]),
        tests(
            "AlertingTests",
            ["Alerting", "SQLAlerts", "MeteringModel", "MeteringPorts", log]),
        tests("SQLLedgerTests", ["SQLLedger", "SQLClient", "MeteringModel", "MeteringPorts"]),
        tests(
            "EventLogConformanceTests",
            [
                "JournalEventLog", "KafkaEventLog", "KafkaClient", "MeteringModel",
                "MeteringPorts",
            ]),
        tests(
            "RedisCounterStoreTests",
            ["RedisCounterStore", "RedisClient", "MeteringModel", "MeteringPorts"]),
        tests("HTTPAPITests", ["HTTPAPI", "MeteringModel", "MeteringPorts", log, tls] + nio),
        tests(
            "MeteringTests",
            [
                "Metering", "Enforcement", "SQLLedger", "JournalEventLog", "Entitlements",
                "YAMLCatalog", "MeteringModel", "MeteringPorts", "QuotaEngine", log,
                "UsageAggregation",
            ]),
        tests(
            "SignalsTests",
            [
                "Signals", "Metering", "SQLLedger", "YAMLCatalog", "Entitlements",
                "Forecasting", "MeteringModel", "MeteringPorts", log,
            ]),
        tests(
            "IntegrationTests",
            ["tollgate", "KafkaClient", "RedisClient", "SQLClient", "MeteringModel", crypto, tls]
                + nio),
        tests("ClientTests", ["tollgate", "MeteringModel"] + nio),
        tests("TidyTests", []),
    ],
    cxxLanguageStandard: .cxx17
)
