import { createApp } from 'vue';
import 'tdesign-vue-next/es/style/index.css';
import { Alert } from 'tdesign-vue-next/es/alert';
import { Button } from 'tdesign-vue-next/es/button';
import { Checkbox, CheckboxGroup } from 'tdesign-vue-next/es/checkbox';
import { Dialog } from 'tdesign-vue-next/es/dialog';
import { Input } from 'tdesign-vue-next/es/input';
import { InputNumber } from 'tdesign-vue-next/es/input-number';
import { Loading } from 'tdesign-vue-next/es/loading';
import { Pagination } from 'tdesign-vue-next/es/pagination';
import { Radio, RadioButton, RadioGroup } from 'tdesign-vue-next/es/radio';
import { Select } from 'tdesign-vue-next/es/select';
import { Switch } from 'tdesign-vue-next/es/switch';
import { Tag } from 'tdesign-vue-next/es/tag';
import { Textarea } from 'tdesign-vue-next/es/textarea';
import App from './App.vue';
import { whenLoggedOut } from './api/client';
import { expired, session } from './lib/session';
import { router } from './router';
import './style.css';

const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.setAttribute('theme-mode', dark.matches ? 'dark' : 'light');
dark.addEventListener('change', follow);
follow();

whenLoggedOut(() => {
  if (!session.value) return;
  session.value = null;
  expired.value = true;
  void router.push({ path: '/login', query: { next: router.currentRoute.value.fullPath } });
});

const app = createApp(App);
const parts = { Alert, Button, Checkbox, CheckboxGroup, Dialog, Input, InputNumber, Loading, Pagination, Radio, RadioButton, RadioGroup, Select, Switch, Tag, Textarea };
for (const [name, part] of Object.entries(parts)) app.component('T' + name, part);
app.use(router).mount('#app');
