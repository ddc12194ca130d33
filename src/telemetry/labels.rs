//! The words that labels are made of, where no other module has them. Each is a closed set that knows all its members: a counter shows every
//! one from the start, at 0, since Prometheus takes one that appears at 1 for one that has always been there, and no alert sees it grow.

use crate::unkey::{Class, Error};

/// A set of words: a member that is added is in `ALL` by itself.
macro_rules! words {
    ($(#[$about:meta])* $set:ident { $($(#[$what:meta])* $member:ident = $word:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $set {
            $($(#[$what])* $member,)+
        }

        impl $set {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$member,)+];

            /// The word as it stands in the label.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$member => $word,)+
                }
            }
        }
    };
}

words! {
    /// How a reconcile over an object ended.
    ReconcileResult {
        /// As it should.
        Ok = "ok",
        /// The API server refused something, or did not answer.
        Error = "error",
        /// By a bug of ours.
        Panic = "panic",
    }
}

words! {
    /// How a scan ended.
    ScanEnd {
        /// Everything was looked at.
        Complete = "complete",
        /// There was nothing to look at, and nothing was asked.
        Nothing = "nothing",
        /// Unkey cannot be asked: the root key, a permission, a wrong URL.
        Refused = "refused",
        /// Unkey fails.
        Failed = "failed",
        /// Another root key came into use on the way.
        KeyChanged = "key_changed",
        /// By a bug of ours.
        Panic = "panic",
    }
}

words! {
    /// How a watch stands.
    WatchState {
        /// What it shows is known as it happens.
        Current = "current",
        /// It has listed its objects and fails now: they are known as they were.
        Broken = "broken",
        /// It has not listed its objects yet: they are unknown.
        Unlisted = "unlisted",
    }
}

words! {
    /// What became of a request to Unkey.
    Outcome {
        /// It did what it should.
        Ok = "ok",
        /// [`Class::NotFound`]
        NotFound = "not_found",
        /// [`Class::Conflict`]
        Exists = "exists",
        /// [`Class::Transient`]
        Transient = "transient",
        /// [`Class::UnknownOutcome`]
        UnknownOutcome = "unknown_outcome",
        /// [`Class::RateLimited`]
        RateLimited = "rate_limited",
        /// [`Class::Credential`]
        Credential = "credential",
        /// [`Class::Permission`]
        Permission = "permission",
        /// [`Class::Terminal`]
        Rejected = "rejected",
        /// [`Class::Misconfigured`]
        Misconfigured = "misconfigured",
    }
}

impl Outcome {
    /// Of a request that was sent, by its error if it had one.
    pub fn of(error: Option<&Error>) -> Self {
        match error.map(Error::class) {
            None => Self::Ok,
            Some(Class::NotFound) => Self::NotFound,
            Some(Class::Conflict) => Self::Exists,
            Some(Class::Transient) => Self::Transient,
            Some(Class::UnknownOutcome) => Self::UnknownOutcome,
            Some(Class::RateLimited { .. }) => Self::RateLimited,
            Some(Class::Credential) => Self::Credential,
            Some(Class::Permission { .. }) => Self::Permission,
            Some(Class::Terminal { .. }) => Self::Rejected,
            Some(Class::Misconfigured) => Self::Misconfigured,
        }
    }
}
