//! Reads a lease: who holds it, and when its holder last renewed it.

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};

use crate::controller::{KubeError, within_deadline};

/// What a `Lease` shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseSight {
    /// Its holder, as the operator writes it; `None`: nobody.
    pub holder: Option<String>,
    /// When it was last renewed by the clock of its holder, in seconds since 1970.
    pub renewed: Option<i64>,
    /// How long a renewal holds, in seconds.
    pub seconds: i64,
}

impl LeaseSight {
    /// The name by which a person knows its holder, such as that of its Pod: the operator adds a suffix of its own.
    pub fn pod(&self) -> Option<&str> {
        self.holder.as_deref()?.rsplit_once('_').map(|(pod, _)| pod)
    }
}

/// Reads a lease; `None`: there is none.
pub async fn read_lease(client: &Client, namespace: &str, name: &str) -> Result<Option<LeaseSight>, KubeError> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let lease = within_deadline(leases.get_opt(name)).await?.map_err(KubeError::Api)?;
    Ok(lease.map(|lease| {
        let spec = lease.spec.unwrap_or_default();
        LeaseSight {
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            renewed: spec.renew_time.map(|time| time.0.as_second()),
            seconds: spec.lease_duration_seconds.unwrap_or(0).into(),
        }
    }))
}
