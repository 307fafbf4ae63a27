import OIDCFrontend
import Platform

extension WallClock {
    /// The moment it shows.
    static func moment() -> Moment {
        let (seconds, nanoseconds) = now()
        return Moment(seconds: seconds, nanoseconds: nanoseconds)
    }
}
