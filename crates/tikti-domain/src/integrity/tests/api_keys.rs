//! An API key, its entry in the list and its last use, broken apart.

use super::*;
use crate::api_key::ApiKey;

impl World {
    pub(super) async fn break_a_key(&self, rule: Rule) -> Vec<Rule> {
        match rule {
            Rule::ApiKeyNotListed => {
                self.delete(&keyspace::api_key_entry(Some(&self.acme.id), &self.key)).await;
            }
            Rule::ApiKeyEntryWithoutKey => {
                self.delete(&keyspace::api_key(&self.key)).await;
                return vec![Rule::RecordWithoutApiKey];
            }
            Rule::ApiKeyDiffers => {
                let mut key: ApiKey = self.read(&keyspace::api_key(&self.key)).await;
                key.scopes.insert(KeyScope::OobReturn);
                self.put(&keyspace::api_key(&self.key), &key).await;
            }
            Rule::RecordWithoutApiKey => {
                let nowhere = ApiKeyId::parse("nowhere").unwrap();
                self.put(&keyspace::api_key_use(&nowhere), &LastUse { at: START }).await;
            }
            _ => {
                let nowhere = Some(TenantId::parse("t-none").unwrap());
                let put = self.fixture.api_key("lost", &[], |key| key.tenant_id = nowhere);
                put.await;
                return vec![Rule::RecordWithoutTenant];
            }
        }
        Vec::new()
    }
}
